;; A filter with a close function.
(module
  (memory (export "memory") 1)
  (data (i32.const 1024) "{\"kind\":\"filter\",\"name\":\"close\",\"version\":\"1\"}")
  (data (i32.const 2048) "{\"fields\":[],\"reasons\":[\"r\"]}")
  (global $top (mut i32) (i32.const 4096))  ;; where the next block begins
  (global $end (mut i32) (i32.const 4096))  ;; where the last block ends

  (func (export "pharos_abi") (result i32) (i32.const 1))
  (func (export "pharos_manifest") (result i64)
    (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const 46)))
  (func (export "pharos_plan") (result i64)
    (i64.or (i64.shl (i64.const 2048) (i64.const 32)) (i64.const 29)))
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

  (func (export "pharos_process") (param i32) (result i32) (i32.const 0))
  (func (export "pharos_close") (param i32) (result i32) (i32.const 0))
)
