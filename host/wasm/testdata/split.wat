;; A well-behaved splitter.
(module
  (memory (export "memory") 1)
  (data (i32.const 1024) "{\"kind\":\"split\",\"name\":\"platform\",\"version\":\"1\"}")
  (data (i32.const 2048) "{\"fields\":[{\"name\":\"platform\",\"type\":\"str\",\"dict\":true}],\"routes\":[\"web\",\"mobile\"]}")
  (global $top (mut i32) (i32.const 4096))  ;; where the next block begins
  (global $end (mut i32) (i32.const 4096))  ;; where the last block ends

  (func (export "pharos_abi") (result i32) (i32.const 1))
  (func (export "pharos_manifest") (result i64)
    (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const 48)))
  (func (export "pharos_plan") (result i64)
    (i64.or (i64.shl (i64.const 2048) (i64.const 32)) (i64.const 83)))
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

  ;; The first letter of each entry of the dictionary decides: w web, m mobile.
  (func (export "pharos_process") (param $b i32) (result i32)
    (local $rows i32) (local $i i32) (local $column i32) (local $valid i32) (local $codes i32)
    (local $offsets i32) (local $bytes i32) (local $routes i32) (local $from i32) (local $to i32) (local $p i32) (local $route i32)
    (local.set $rows (i32.load offset=8 (local.get $b)))
    (local.set $column (i32.add (local.get $b) (i32.load offset=16 (local.get $b))))
    (local.set $valid (i32.add (local.get $b) (i32.load offset=8 (local.get $column))))
    (local.set $codes (i32.add (local.get $b) (i32.load offset=12 (local.get $column))))
    (local.set $offsets (i32.add (local.get $b) (i32.load offset=20 (local.get $column))))
    (local.set $bytes (i32.add (local.get $b) (i32.load offset=24 (local.get $column))))
    (local.set $routes (i32.add (local.get $b) (i32.load offset=52 (local.get $b))))
    (loop $next
      (if (i32.and (i32.shr_u
            (i32.load8_u (i32.add (local.get $valid) (i32.shr_u (local.get $i) (i32.const 3))))
            (i32.and (local.get $i) (i32.const 7))) (i32.const 1))
        (then
          (local.set $p (i32.add (local.get $offsets) (i32.shl
            (i32.load (i32.add (local.get $codes) (i32.shl (local.get $i) (i32.const 2)))) (i32.const 2))))
          (local.set $from (i32.load (local.get $p)))
          (local.set $to (i32.load offset=4 (local.get $p)))
          (local.set $route (i32.const 65535))
          (if (i32.lt_u (local.get $from) (local.get $to))
            (then
              (local.set $p (i32.load8_u (i32.add (local.get $bytes) (local.get $from))))
              (if (i32.eq (local.get $p) (i32.const 119)) (then (local.set $route (i32.const 0))))
              (if (i32.eq (local.get $p) (i32.const 109)) (then (local.set $route (i32.const 1))))))
          (i32.store16 (i32.add (local.get $routes) (i32.shl (local.get $i) (i32.const 1))) (local.get $route))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $rows))))
    (i32.const 0))
)
