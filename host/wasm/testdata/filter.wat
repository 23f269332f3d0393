;; A well-behaved filter: drops rows whose n is missing (reason 0) or odd
;; (reason 1, counted).
(module
  (memory (export "memory") 1)
  (data (i32.const 1024) "{\"kind\":\"filter\",\"name\":\"odd\",\"version\":\"1.2.3\"}")
  (data (i32.const 2048) "{\"fields\":[{\"name\":\"n\",\"type\":\"i64\"}],\"reasons\":[\"missing\",\"odd\"],\"counters\":[\"odd\"]}")
  (global $top (mut i32) (i32.const 4096))  ;; where the next block begins
  (global $end (mut i32) (i32.const 4096))  ;; where the last block ends

  (func (export "pharos_abi") (result i32) (i32.const 1))
  (func (export "pharos_manifest") (result i64)
    (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const 48)))
  (func (export "pharos_plan") (result i64)
    (i64.or (i64.shl (i64.const 2048) (i64.const 32)) (i64.const 85)))
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

  (func (export "pharos_process") (param $b i32) (result i32)
    (local $rows i32) (local $i i32) (local $column i32) (local $valid i32) (local $data i32)
    (local $keep i32) (local $reasons i32) (local $counter i32) (local $p i32)
    (local.set $rows (i32.load offset=8 (local.get $b)))
    (local.set $column (i32.add (local.get $b) (i32.load offset=16 (local.get $b))))
    (local.set $valid (i32.add (local.get $b) (i32.load offset=8 (local.get $column))))
    (local.set $data (i32.add (local.get $b) (i32.load offset=12 (local.get $column))))
    (local.set $keep (i32.add (local.get $b) (i32.load offset=44 (local.get $b))))
    (local.set $reasons (i32.add (local.get $b) (i32.load offset=48 (local.get $b))))
    (local.set $counter (i32.add (local.get $b) (i32.load offset=24 (local.get $b))))
    (loop $next
      (if (i32.and (i32.shr_u
            (i32.load8_u (i32.add (local.get $valid) (i32.shr_u (local.get $i) (i32.const 3))))
            (i32.and (local.get $i) (i32.const 7))) (i32.const 1))
        (then
          (if (i64.eqz (i64.and (i64.load (i32.add (local.get $data) (i32.shl (local.get $i) (i32.const 3)))) (i64.const 1)))
            (then
              (local.set $p (i32.add (local.get $keep) (i32.shr_u (local.get $i) (i32.const 3))))
              (i32.store8 (local.get $p) (i32.or (i32.load8_u (local.get $p))
                (i32.shl (i32.const 1) (i32.and (local.get $i) (i32.const 7))))))
            (else
              (i32.store8 (i32.add (local.get $reasons) (local.get $i)) (i32.const 1))
              (i64.store (local.get $counter) (i64.add (i64.load (local.get $counter)) (i64.const 1)))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $rows))))
    (i32.const 0))
)
