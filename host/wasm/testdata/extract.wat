;; A well-behaved extractor, which needs more room than it first gets.
(module
  (memory (export "memory") 1)
  (data (i32.const 1024) "{\"kind\":\"extract\",\"name\":\"clicks\",\"version\":\"1\"}")
  (data (i32.const 2048) "{\"fields\":[{\"name\":\"price\",\"type\":\"f64\"},{\"name\":\"img\",\"type\":\"str\"}],\"points\":[{\"name\":\"order\"},{\"name\":\"click\",\"attributes\":[\"image\",\"slot\"]}]}")
  (global $top (mut i32) (i32.const 4096))  ;; where the next block begins
  (global $end (mut i32) (i32.const 4096))  ;; where the last block ends

  (func (export "pharos_abi") (result i32) (i32.const 1))
  (func (export "pharos_manifest") (result i64)
    (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const 48)))
  (func (export "pharos_plan") (result i64)
    (i64.or (i64.shl (i64.const 2048) (i64.const 32)) (i64.const 145)))
  (func (export "pharos_error") (result i64) (i64.const 0))

  (func (export "pharos_alloc") (param $size i32) (param $align i32) (result i32)
    (local $pages i32)
    (global.set $end (i32.add (global.get $top) (local.get $size)))
    (local.set $pages (i32.sub
      (i32.shr_u (i32.add (global.get $end) (i32.const 65535)) (i32.const 16))
      (memory.size)))
    (if (i32.gt_s (local.get $pages) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1))
        (then (return (i32.const 0))))))
    (global.get $top))

  (func (export "pharos_configure") (param i32 i32) (result i32)
    ;; the block of the config stays, the arena begins after it
    (global.set $top (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
    (i32.const 0))

  ;; A row with a price is an order of that value. A row with an img is as many
  ;; clicks as its text has bytes; the image attribute is the column's text, the
  ;; slot is "top", written to the text output for each click.
  (global $b (mut i32) (i32.const 0))
  (global $measurements (mut i32) (i32.const 0))
  (global $tuples (mut i32) (i32.const 0))
  (global $text (mut i32) (i32.const 0))

  (func $measure (param $row i32) (param $point i32) (param $attributes i32) (param $value f64)
    (local $p i32)
    (if (i32.lt_u (global.get $measurements) (i32.load offset=60 (global.get $b)))
      (then
        (local.set $p (i32.add (i32.add (global.get $b) (i32.load offset=56 (global.get $b)))
          (i32.mul (global.get $measurements) (i32.const 24))))
        (i32.store (local.get $p) (local.get $row))
        (i32.store offset=4 (local.get $p) (local.get $point))
        (i32.store offset=8 (local.get $p) (local.get $attributes))
        (i32.store offset=12 (local.get $p) (i32.const 0))
        (f64.store offset=16 (local.get $p) (local.get $value))))
    (global.set $measurements (i32.add (global.get $measurements) (i32.const 1))))

  (func $click (param $row i32) (param $at i32) (param $len i32)
    (local $p i32) (local $t i32)
    (local.set $t (i32.add (i32.load offset=84 (global.get $b)) (global.get $text)))
    (if (i32.le_u (i32.add (global.get $text) (i32.const 3)) (i32.load offset=88 (global.get $b)))
      (then
        (i32.store8 (i32.add (global.get $b) (local.get $t)) (i32.const 116))
        (i32.store8 offset=1 (i32.add (global.get $b) (local.get $t)) (i32.const 111))
        (i32.store8 offset=2 (i32.add (global.get $b) (local.get $t)) (i32.const 112))))
    (global.set $text (i32.add (global.get $text) (i32.const 3)))
    (if (i32.lt_u (global.get $tuples) (i32.load offset=76 (global.get $b)))
      (then
        (local.set $p (i32.add (i32.add (global.get $b) (i32.load offset=72 (global.get $b)))
          (i32.mul (global.get $tuples) (i32.shl (i32.load offset=68 (global.get $b)) (i32.const 3)))))
        (i32.store (local.get $p) (local.get $at))
        (i32.store offset=4 (local.get $p) (local.get $len))
        (i32.store offset=8 (local.get $p) (local.get $t))
        (i32.store offset=12 (local.get $p) (i32.const 3))))
    (global.set $tuples (i32.add (global.get $tuples) (i32.const 1)))
    (call $measure (local.get $row) (i32.const 1) (global.get $tuples) (f64.const 1)))

  (func $valid (param $column i32) (param $i i32) (result i32)
    (i32.and (i32.const 1) (i32.shr_u
      (i32.load8_u (i32.add (i32.add (global.get $b) (i32.load offset=8 (local.get $column)))
        (i32.shr_u (local.get $i) (i32.const 3))))
      (i32.and (local.get $i) (i32.const 7)))))

  (func (export "pharos_process") (param $batch i32) (result i32)
    (local $i i32) (local $price i32) (local $img i32) (local $p i32) (local $from i32) (local $to i32) (local $n i32)
    (global.set $b (local.get $batch))
    (global.set $measurements (i32.const 0))
    (global.set $tuples (i32.const 0))
    (global.set $text (i32.const 0))
    (local.set $price (i32.add (global.get $b) (i32.load offset=16 (global.get $b))))
    (local.set $img (i32.add (local.get $price) (i32.const 32)))
    (loop $next
      (if (call $valid (local.get $price) (local.get $i))
        (then (call $measure (local.get $i) (i32.const 0) (i32.const 0)
          (f64.load (i32.add (i32.add (global.get $b) (i32.load offset=12 (local.get $price)))
            (i32.shl (local.get $i) (i32.const 3)))))))
      (if (call $valid (local.get $img) (local.get $i))
        (then
          (local.set $p (i32.add (i32.add (global.get $b) (i32.load offset=20 (local.get $img)))
            (i32.shl (local.get $i) (i32.const 2))))
          (local.set $from (i32.load (local.get $p)))
          (local.set $to (i32.load offset=4 (local.get $p)))
          (local.set $n (i32.sub (local.get $to) (local.get $from)))
          (block $done
            (loop $clicks
              (br_if $done (i32.eqz (local.get $n)))
              (call $click (local.get $i)
                (i32.add (i32.load offset=24 (local.get $img)) (local.get $from))
                (i32.sub (local.get $to) (local.get $from)))
              (local.set $n (i32.sub (local.get $n) (i32.const 1)))
              (br $clicks)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.load offset=8 (global.get $b)))))
    (i32.store offset=64 (global.get $b) (global.get $measurements))
    (i32.store offset=80 (global.get $b) (global.get $tuples))
    (i32.store offset=92 (global.get $b) (global.get $text))
    (i32.or (i32.or
      (i32.gt_u (global.get $measurements) (i32.load offset=60 (global.get $b)))
      (i32.gt_u (global.get $tuples) (i32.load offset=76 (global.get $b))))
      (i32.gt_u (global.get $text) (i32.load offset=88 (global.get $b)))))
)
