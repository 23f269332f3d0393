;; Work of every form, for what it costs and where it ends.
(module
  (memory (export "memory") 1 64)
  (table 2 8 funcref)
  (elem (i32.const 0) $leaf $loop)
  (global $seen (export "seen") (mut i64) (i64.const 0))
  (type $unary (func (param i32) (result i32)))

  (func $leaf (type $unary) (i32.add (local.get 0) (i32.const 1)))

  ;; counts in seen, down from n
  (func $loop (export "loop") (type $unary)
    (loop $again
      (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))

  (func (export "calls") (type $unary)
    (loop $again
      (drop (call $leaf (i32.const 1)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))

  (func (export "indirect") (type $unary)
    (loop $again
      (drop (call_indirect (type $unary) (i32.const 1) (i32.const 0)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))

  ;; calls loop, whose work must come off here too
  (func (export "nested") (type $unary)
    (loop $again
      (drop (call $loop (i32.const 10)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))

  ;; leaves by a branch out of the function
  (func (export "leaves") (type $unary)
    (loop $again
      (drop (br_if 1 (i32.const 7) (i32.eqz (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (br $again))
    (unreachable))

  (func $recurse (export "recurse") (type $unary)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $recurse (i32.sub (local.get 0) (i32.const 1)))))))

  (func $even (param i32) (result i32) (call $odd (local.get 0)))
  (func $odd (param i32) (result i32) (call $even (local.get 0)))

  (func (export "forever") (type $unary) (loop (br 0)) (unreachable))
  (func (export "forever empty") (type $unary) (loop (block (block)) (br 0)) (unreachable))
  (func (export "forever table") (type $unary) (loop (block (br_table 0 1 (local.get 0))) (br 0)) (unreachable))
  (func (export "forever calls") (type $unary) (call $even (i32.const 1)))
  (func (export "forever nested") (type $unary) (loop (loop (br_if 1 (local.get 0))) (br 0)) (unreachable))

  (func (export "fill") (type $unary)
    (memory.fill (i32.const 0) (i32.const 1) (local.get 0)) (i32.const 0))
  (func (export "copy") (type $unary)
    (memory.copy (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 0))
  (func (export "grow") (type $unary) (memory.grow (local.get 0)))
  (func (export "table fill") (type $unary)
    (table.fill 0 (i32.const 0) (ref.null func) (local.get 0)) (i32.const 0))

  ;; a thousand of which one in a hundred is taken
  (func (export "rare") (type $unary)
    (if (i32.eqz (local.get 0)) (then
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
      (global.set $seen (i64.add (global.get $seen) (i64.const 1))) (global.set $seen (i64.add (global.get $seen) (i64.const 1)))))
    (i32.const 0)))
