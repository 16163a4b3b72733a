;; Low-rank products added to weights, with vectors of four floats, which every processor that Node runs on has.
;;
;; `npm run kernel` assembles this file into kernel-binary.ts, which is what runs. `Kernel` (kernel.ts) calls the
;; functions, `layoutOf` (layout.ts) says where everything lies. Addresses, strides and ends are in bytes; what is
;; converted is a multiple of eight values, and every loop runs once at least. Everything is computed in float32, and
;; rounded once when it is stored as halves.

(module
  ;; Shared by the threads that compute one weight. At most 32,768 pages of 64 KiB (2 GiB): MOST_PAGES in layout.ts.
  (import "env" "memory" (memory 1 32768 shared))

  ;; Widens halves (float16) to floats, four at a time, until `to` reaches `end`.
  ;;
  ;; Source: the FP16 library, `fp16_ieee_to_fp32_value`.
  (func (export "fromHalves") (param $from i32) (param $to i32) (param $end i32)
    (local $half v128)     ;; four halves, one in the lower 16 bits of each lane
    (local $doubled v128)  ;; the same without their signs, at the upper end of the lanes
    (loop $next
      (local.set $half (v128.load16x4_u (local.get $from)))
      (local.set $doubled (i32x4.shl (local.get $half) (i32.const 17)))
      (v128.store (local.get $to)
        (v128.or
          (v128.bitselect
            ;; Subnormal halves: their bits become the mantissa of a float from 1/2 to 1, and 1/2 is taken off.
            (f32x4.sub
              (v128.or
                (i32x4.shr_u (local.get $doubled) (i32.const 17))
                (v128.const i32x4 0x3f000000 0x3f000000 0x3f000000 0x3f000000))
              (v128.const f32x4 0.5 0.5 0.5 0.5))
            ;; Normal halves: exponent and mantissa go where a float has them. The biases differ by 112: the exponent is
            ;; raised by 224, which makes a half's largest a float's largest, and 2^-112 takes 112 off all but that, so
            ;; that infinities and NaNs stay.
            (f32x4.mul
              (i32x4.add
                (i32x4.shr_u (local.get $doubled) (i32.const 4))
                (v128.const i32x4 0x70000000 0x70000000 0x70000000 0x70000000))
              (v128.const f32x4 0x1p-112 0x1p-112 0x1p-112 0x1p-112))
            ;; Subnormal is what has the exponent 0.
            (i32x4.lt_u
              (local.get $doubled)
              (v128.const i32x4 0x08000000 0x08000000 0x08000000 0x08000000)))
          ;; The sign
          (v128.and
            (i32x4.shl (local.get $half) (i32.const 16))
            (v128.const i32x4 0x80000000 0x80000000 0x80000000 0x80000000))))
      (local.set $from (i32.add (local.get $from) (i32.const 8)))
      (local.set $to (i32.add (local.get $to) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $to) (local.get $end)))))

  ;; Widens bfloats, which are the upper 16 bits of floats, until `to` reaches `end`. There is so little to compute that
  ;; taking four at a time would be a third slower: it takes eight.
  (func (export "fromBfloats") (param $from i32) (param $to i32) (param $end i32)
    (local $bfloats v128)
    (loop $next
      (local.set $bfloats (v128.load (local.get $from)))
      (v128.store (local.get $to)
        (i32x4.shl (i32x4.extend_low_i16x8_u (local.get $bfloats)) (i32.const 16)))
      (v128.store offset=16 (local.get $to)
        (i32x4.shl (i32x4.extend_high_i16x8_u (local.get $bfloats)) (i32.const 16)))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $to (i32.add (local.get $to) (i32.const 32)))
      (br_if $next (i32.lt_u (local.get $to) (local.get $end)))))

  ;; Rounds floats to halves, to nearest even, four at a time, until `from` reaches `end`. The result is not 0 where a
  ;; value is no half (too large, infinite, NaN); all halves are then of no use.
  ;;
  ;; Source: the FP16 library, `fp16_ieee_from_fp32_value`.
  (func (export "toHalves") (param $from i32) (param $to i32) (param $end i32) (result i32)
    (local $float v128)
    (local $magnitude v128)  ;; the float without its sign
    (local $rounded v128)    ;; a float whose lowest bits are the half's mantissa, and its exponent's above
    (local $half v128)       ;; four halves, one in each lane of 32 bits
    (local $largest v128)    ;; magnitude, of each lane
    (loop $next
      (local.set $float (v128.load (local.get $from)))
      (local.set $magnitude
        (v128.and (local.get $float) (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff)))
      ;; As integers magnitudes compare as they do as floats, with NaNs above all.
      (local.set $largest (i32x4.max_u (local.get $largest) (local.get $magnitude)))
      ;; A power of two is added that is so much larger than the value that the processor's own rounding of the sum
      ;; leaves as many bits of the mantissa as the half has. Its exponent is the value's plus 15 (2^112 and 2^-110 make
      ;; the value four times as large, or infinite), at least that of 2, below which halves are subnormal.
      (local.set $rounded
        (f32x4.add
          (f32x4.mul
            (f32x4.mul (local.get $magnitude) (v128.const f32x4 0x1p+112 0x1p+112 0x1p+112 0x1p+112))
            (v128.const f32x4 0x1p-110 0x1p-110 0x1p-110 0x1p-110))
          (i32x4.max_u
            (v128.and
              (i32x4.add (local.get $magnitude) (v128.const i32x4 0x07800000 0x07800000 0x07800000 0x07800000))
              (v128.const i32x4 0x7f800000 0x7f800000 0x7f800000 0x7f800000))
            (v128.const i32x4 0x40000000 0x40000000 0x40000000 0x40000000))))
      (local.set $half
        (v128.or
          ;; The sign
          (i32x4.shr_u
            (v128.and (local.get $float) (v128.const i32x4 0x80000000 0x80000000 0x80000000 0x80000000))
            (i32.const 16))
          ;; Exponent and mantissa: added, as a mantissa that was rounded up may carry into the exponent.
          (i32x4.add
            (v128.and
              (i32x4.shr_u (local.get $rounded) (i32.const 13))
              (v128.const i32x4 0x7c00 0x7c00 0x7c00 0x7c00))
            (v128.and (local.get $rounded) (v128.const i32x4 0x0fff 0x0fff 0x0fff 0x0fff)))))
      (v128.store64_lane 0 (local.get $to) (i16x8.narrow_i32x4_u (local.get $half) (local.get $half)))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $to (i32.add (local.get $to) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $from) (local.get $end))))
    ;; 0x477ff000 is 65,520, the smallest float that rounds to infinity.
    (v128.any_true
      (i32x4.ge_u (local.get $largest) (v128.const i32x4 0x477ff000 0x477ff000 0x477ff000 0x477ff000))))

  ;; strip += up * down, for a strip of four rows.
  ;;
  ;; A tile of 4 rows by 8 columns (TILE_ROWS and TILE_COLUMNS in layout.ts) stays in registers while all ranks are
  ;; added to it: 8 accumulators of the 16 that x86 has, which leaves room for the operands. Tiles follow each other
  ;; along the strip, until `row0` reaches `end`. Operands lie in the order in which they are read.
  ;;
  ;; $row0   first row of the strip, as floats; $end is its end
  ;; $stride from one row to the next; a multiple of 32
  ;; $up     [rank][4] floats, to $upEnd
  ;; $down   [columns / 8][rank][8] floats
  (func (export "addProduct")
    (param $row0 i32) (param $stride i32) (param $end i32) (param $up i32) (param $upEnd i32) (param $down i32)
    (local $row1 i32) (local $row2 i32) (local $row3 i32)
    (local $factors i32)                      ;; of the rank at hand, in $up
    (local $factor v128)                      ;; that of one row, in all lanes
    (local $left v128) (local $right v128)    ;; of the rank at hand, in $down
    ;; The tile, four columns each
    (local $left0 v128) (local $right0 v128)
    (local $left1 v128) (local $right1 v128)
    (local $left2 v128) (local $right2 v128)
    (local $left3 v128) (local $right3 v128)
    (loop $tile
      (local.set $row1 (i32.add (local.get $row0) (local.get $stride)))
      (local.set $row2 (i32.add (local.get $row1) (local.get $stride)))
      (local.set $row3 (i32.add (local.get $row2) (local.get $stride)))
      (local.set $left0 (v128.load (local.get $row0)))
      (local.set $right0 (v128.load offset=16 (local.get $row0)))
      (local.set $left1 (v128.load (local.get $row1)))
      (local.set $right1 (v128.load offset=16 (local.get $row1)))
      (local.set $left2 (v128.load (local.get $row2)))
      (local.set $right2 (v128.load offset=16 (local.get $row2)))
      (local.set $left3 (v128.load (local.get $row3)))
      (local.set $right3 (v128.load offset=16 (local.get $row3)))

      (local.set $factors (local.get $up))
      (loop $rank
        (local.set $left (v128.load (local.get $down)))
        (local.set $right (v128.load offset=16 (local.get $down)))
        (local.set $factor (v128.load32_splat (local.get $factors)))
        (local.set $left0 (f32x4.add (local.get $left0) (f32x4.mul (local.get $factor) (local.get $left))))
        (local.set $right0 (f32x4.add (local.get $right0) (f32x4.mul (local.get $factor) (local.get $right))))
        (local.set $factor (v128.load32_splat offset=4 (local.get $factors)))
        (local.set $left1 (f32x4.add (local.get $left1) (f32x4.mul (local.get $factor) (local.get $left))))
        (local.set $right1 (f32x4.add (local.get $right1) (f32x4.mul (local.get $factor) (local.get $right))))
        (local.set $factor (v128.load32_splat offset=8 (local.get $factors)))
        (local.set $left2 (f32x4.add (local.get $left2) (f32x4.mul (local.get $factor) (local.get $left))))
        (local.set $right2 (f32x4.add (local.get $right2) (f32x4.mul (local.get $factor) (local.get $right))))
        (local.set $factor (v128.load32_splat offset=12 (local.get $factors)))
        (local.set $left3 (f32x4.add (local.get $left3) (f32x4.mul (local.get $factor) (local.get $left))))
        (local.set $right3 (f32x4.add (local.get $right3) (f32x4.mul (local.get $factor) (local.get $right))))
        (local.set $factors (i32.add (local.get $factors) (i32.const 16)))
        (local.set $down (i32.add (local.get $down) (i32.const 32)))
        (br_if $rank (i32.lt_u (local.get $factors) (local.get $upEnd))))

      (v128.store (local.get $row0) (local.get $left0))
      (v128.store offset=16 (local.get $row0) (local.get $right0))
      (v128.store (local.get $row1) (local.get $left1))
      (v128.store offset=16 (local.get $row1) (local.get $right1))
      (v128.store (local.get $row2) (local.get $left2))
      (v128.store offset=16 (local.get $row2) (local.get $right2))
      (v128.store (local.get $row3) (local.get $left3))
      (v128.store offset=16 (local.get $row3) (local.get $right3))
      (local.set $row0 (i32.add (local.get $row0) (i32.const 32)))
      (br_if $tile (i32.lt_u (local.get $row0) (local.get $end))))))
