;; An extractor that misbehaves in the way that the letter after # in its config
;; says; without a letter it answers nothing.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "{\"kind\":\"extract\",\"name\":\"bad\",\"version\":\"1\"}")
  (data (i32.const 2048) "{\"fields\":[{\"name\":\"n\",\"type\":\"i64\"}],\"points\":[{\"name\":\"plain\"},{\"name\":\"with\",\"attributes\":[\"a\"]}]}")
  (data (i32.const 2560) "{\"fields\":[{\"name\":\"list\",\"type\":\"json\"}],\"points\":[{\"name\":\"p\"}]}")
  (data (i32.const 2816) "{\"fields\":[],\"points\":[{\"name\":\"visit\"},{\"name\":\"p\"},{\"name\":\"p\"}],\"color\":1}")
  (data (i32.const 3072) "{\"fields\":[],\"points\":[{\"name\":\"visit\"},{\"name\":\"p\"},{\"name\":\"p\"}],\"routes\":[\"r\"]}")
  (data (i32.const 3328) "broken on \e2\80\9cpurpose\e2\80\9d\0a")
  (data (i32.const 3456) "panic: of the guest\0a")
  (data (i32.const 3520) "\80\0d\00\00\14\00\00\00")  ;; iovec of the text at 3456
  (global $mode (mut i32) (i32.const 0))
  (global $calls (mut i32) (i32.const 0))
  (global $top (mut i32) (i32.const 4096))
  (global $end (mut i32) (i32.const 4096))

  (func (export "pharos_abi") (result i32) (i32.const 1))
  (func (export "pharos_manifest") (result i64) (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const 45)))
  (func (export "pharos_plan") (result i64)
    (if (i32.eq (global.get $mode) (i32.const 66)) (then (return (i64.or (i64.shl (i64.const 65000) (i64.const 32)) (i64.const 1000)))))
    (if (i32.eq (global.get $mode) (i32.const 67)) (then (return (i64.or (i64.shl (i64.const 2816) (i64.const 32)) (i64.const 77)))))
    (if (i32.eq (global.get $mode) (i32.const 68)) (then (return (i64.or (i64.shl (i64.const 3072) (i64.const 32)) (i64.const 82)))))
    (if (i32.eq (global.get $mode) (i32.const 70)) (then (return (i64.or (i64.shl (i64.const 2560) (i64.const 32)) (i64.const 66)))))
    (if (i32.eq (global.get $mode) (i32.const 71)) (then (return (i64.const 0xfffffffffffffff))))
    (i64.or (i64.shl (i64.const 2048) (i64.const 32)) (i64.const 101)))
  (func (export "pharos_error") (result i64)
    (if (i32.eq (global.get $mode) (i32.const 78)) (then (loop $l (br $l))))
    (if (i32.eq (global.get $mode) (i32.const 114)) (then (return (i64.or (i64.shl (i64.const 4294967000) (i64.const 32)) (i64.const 1000)))))
    (i64.or (i64.shl (i64.const 3328) (i64.const 32)) (i64.const 24)))

  (func (export "pharos_alloc") (param $size i32) (param $align i32) (result i32)
    (local $pages i32)
    (if (i32.eq (global.get $mode) (i32.const 72)) (then (return (i32.const 0))))
    (if (i32.eq (global.get $mode) (i32.const 77)) (then (loop $l (br $l))))  ;; M
    (if (i32.eq (global.get $mode) (i32.const 73)) (then (return (i32.const 65528))))
    (if (i32.eq (global.get $mode) (i32.const 74)) (then (return (i32.const 4097))))
    (global.set $end (i32.add (global.get $top) (local.get $size)))
    (local.set $pages (i32.sub
      (i32.shr_u (i32.add (global.get $end) (i32.const 65535)) (i32.const 16))
      (memory.size)))
    (if (i32.gt_s (local.get $pages) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1))
        (then (return (i32.const 0))))))
    (global.get $top))

  (func (export "pharos_configure") (param $p i32) (param $len i32) (result i32)
    (local $end i32)
    (global.set $top (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
    (local.set $end (i32.add (local.get $p) (local.get $len)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (if (i32.eq (i32.load8_u (local.get $p)) (i32.const 35))
          (then (global.set $mode (i32.load8_u offset=1 (local.get $p)))))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br $next)))
    (if (i32.eq (global.get $mode) (i32.const 75)) (then unreachable))
    (if (i32.eq (global.get $mode) (i32.const 76)) (then (loop $l (br $l))))
    (i32.eq (global.get $mode) (i32.const 65)))

  (func $measure (param $i i32) (param $row i32) (param $point i32) (param $attributes i32) (param $zero i32)
    (local $p i32)
    (local.set $p (i32.add (i32.add (global.get $b) (i32.load offset=56 (global.get $b))) (i32.mul (local.get $i) (i32.const 24))))
    (i32.store (local.get $p) (local.get $row))
    (i32.store offset=4 (local.get $p) (local.get $point))
    (i32.store offset=8 (local.get $p) (local.get $attributes))
    (i32.store offset=12 (local.get $p) (local.get $zero))
    (f64.store offset=16 (local.get $p) (f64.const 1)))
  (global $b (mut i32) (i32.const 0))

  (func $deep (param i32) (result i32)
    (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))

  (func (export "pharos_process") (param $b i32) (result i32)
    (local $i i32)
    (global.set $b (local.get $b))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.eq (global.get $mode) (i32.const 97)) (then unreachable))  ;; a
    (if (i32.eq (global.get $mode) (i32.const 98)) (then (loop $l (br $l))))  ;; b
    (if (i32.eq (global.get $mode) (i32.const 99)) (then (return (i32.const 5))))  ;; c
    (if (i32.eq (global.get $mode) (i32.const 114)) (then (return (i32.const -1))))  ;; r
    (if (i32.eq (global.get $mode) (i32.const 78)) (then (return (i32.const 5))))  ;; N
    (if (i32.eq (global.get $mode) (i32.const 100)) (then (i32.store offset=64 (local.get $b) (i32.const 1073741824)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; d
    (if (i32.eq (global.get $mode) (i32.const 101)) (then (call $measure (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))(call $measure (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))(i32.store offset=64 (local.get $b) (i32.const 2)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; e
    (if (i32.eq (global.get $mode) (i32.const 102)) (then (call $measure (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 0))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; f
    (if (i32.eq (global.get $mode) (i32.const 103)) (then (call $measure (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 0))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; g
    (if (i32.eq (global.get $mode) (i32.const 104)) (then (call $measure (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 0))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 1)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; h
    (if (i32.eq (global.get $mode) (i32.const 105)) (then (call $measure (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 0))(i32.store (i32.add (local.get $b) (i32.load offset=72 (local.get $b))) (i32.const 1048576)) (i32.store offset=4 (i32.add (local.get $b) (i32.load offset=72 (local.get $b))) (i32.const 5))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 1)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; i
    (if (i32.eq (global.get $mode) (i32.const 106)) (then (return (i32.const 1))))  ;; j
    (if (i32.eq (global.get $mode) (i32.const 107)) (then (i32.store offset=64 (local.get $b) (i32.const 1073741824)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0)) (return (i32.const 1))))  ;; k
    (if (i32.eq (global.get $mode) (i32.const 108)) (then (return (call $deep (i32.const 0)))))  ;; l
    (if (i32.eq (global.get $mode) (i32.const 109)) (then (drop (memory.grow (i32.const 1)))(call $measure (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; m
    (if (i32.eq (global.get $mode) (i32.const 110)) (then (drop (call $fd_write (i32.const 2) (i32.const 3520) (i32.const 1) (i32.const 3528))) (call $proc_exit (i32.const 3))))  ;; n
    (if (i32.eq (global.get $mode) (i32.const 111)) (then (call $measure (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0)) (i32.store (local.get $b) (i32.const -1)) (i32.store offset=8 (local.get $b) (i32.const -1)) (i32.store offset=56 (local.get $b) (i32.const -24))))  ;; o
    (if (i32.eq (global.get $mode) (i32.const 112)) (then (call $measure (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 7))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; p
    (if (i32.eq (global.get $mode) (i32.const 113)) (then (loop $l (call $measure (local.get $i) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.and (i32.lt_u (local.get $i) (i32.const 257)) (i32.lt_u (local.get $i) (i32.load offset=60 (local.get $b))))))(i32.store offset=64 (local.get $b) (i32.const 257)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0)) (return (i32.gt_u (i32.const 257) (i32.load offset=60 (local.get $b))))))  ;; q
    (if (i32.eq (global.get $mode) (i32.const 115)) (then (call $measure (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 0))(i32.store (i32.add (local.get $b) (i32.load offset=72 (local.get $b))) (i32.const 128)) (i32.store offset=4 (i32.add (local.get $b) (i32.load offset=72 (local.get $b))) (i32.const 1))(i32.store8 offset=128 (local.get $b) (i32.const 255))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 1)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; s
    (if (i32.eq (global.get $mode) (i32.const 116)) (then (if (i32.eq (global.get $calls) (i32.const 2)) (then (call $measure (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 0)) (i32.store offset=92 (local.get $b) (i32.const 0))))))  ;; t
    (if (i32.eq (global.get $mode) (i32.const 117)) (then (call $measure (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))(i32.store offset=64 (local.get $b) (i32.const 1)) (i32.store offset=80 (local.get $b) (i32.const 1)) (i32.store offset=92 (local.get $b) (i32.const 0))))  ;; u
    (if (i32.eq (global.get $mode) (i32.const 118)) (then (return (i32.div_u (i32.const 1) (i32.const 0)))))  ;; v
    (if (i32.eq (global.get $mode) (i32.const 119)) (then (i32.store (i32.const -4) (i32.const 1))))  ;; w
    (i32.const 0))
)
