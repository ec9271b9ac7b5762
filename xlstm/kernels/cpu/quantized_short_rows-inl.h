// Rows of quantised weights with fewer groups than a block of parameters. What a row costs beside its products, the
// parameters and the sum over lanes, is shared there: as many rows as a vector has lanes go together. Their scales and
// biases stand one behind the other in memory and are widened by whole vectors, and one transposition adds up all their
// lanes. Included by quantized_gemv-inl.h, once for each of its namespaces, so no guard.

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE V sum_of_lanes(const V* rows) { return rows[0]; }

#else

/// Four rows: in every block of 128 bits, the sums of the rows' four lanes there.
HWY_INLINE V sum_of_blocks(const V* rows) {
  const D d;
  const hn::Repartition<double, D> d64;
  const V ab = hn::Add(hn::InterleaveLower(d, rows[0], rows[1]), hn::InterleaveUpper(d, rows[0], rows[1]));
  const V cd = hn::Add(hn::InterleaveLower(d, rows[2], rows[3]), hn::InterleaveUpper(d, rows[2], rows[3]));
  const auto ab64 = hn::BitCast(d64, ab), cd64 = hn::BitCast(d64, cd);
  return hn::Add(hn::BitCast(d, hn::InterleaveLower(d64, ab64, cd64)),
                 hn::BitCast(d, hn::InterleaveUpper(d64, ab64, cd64)));
}

/// Lane r: the sum of the lanes of rows[r].
HWY_INLINE V sum_of_lanes(const V* rows) {
  const V a = sum_of_blocks(rows);
  if constexpr (kLanes == 4) return a;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const D d;
  const auto halves = [&](V x, V y) HWY_ATTR {
    return hn::Add(hn::ConcatLowerLower(d, y, x), hn::ConcatUpperUpper(d, y, x));
  };
  const V b = sum_of_blocks(rows + 4);
  if constexpr (kLanes == 8) {
    return halves(a, b);
  } else {
    const V even = halves(a, sum_of_blocks(rows + 8)), odd = halves(b, sum_of_blocks(rows + 12));
    return hn::Add(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(odd), even),
                   hn::OddEvenBlocks(odd, hn::SwapAdjacentBlocks(even)));
  }
#endif
}

#endif  // SCALAR

template <class Dot, std::int64_t kGroupWords>
struct ShortRows {
  using Rows = RowKernel<Dot, kGroupWords>;
  static constexpr std::int64_t kTileRows = kLanes;
  static constexpr std::int64_t kStepWords = Rows::kStepWords, kStepGroups = Rows::kStepGroups;

  /// B vectors: where the first of them stands, and their scales once more, each in the lanes of its group.
  template <int B>
  struct Input {
    Vectors x;
    std::int64_t groups, steps, rest_groups;  // whole steps, and the groups behind them
    alignas(kLineBytes) float scales[B][kBlockGroups][kLanes];

    HWY_INLINE Input(const Vectors& vectors, std::int64_t num_groups)
        : x(vectors), groups(num_groups), steps(num_groups / kStepGroups), rest_groups(num_groups % kStepGroups) {
      for (int b = 0; b < B; ++b) {
        const auto* const from = reinterpret_cast<const float*>(x.scales + b * x.stride);
        for (std::int64_t s = 0; s * kStepGroups < groups; ++s) {
          hn::Store(Rows::step_scales(from + s * kStepGroups), D(), scales[b][s]);
        }
      }
    }
  };

  /// Scales and biases of a tile's rows, one row behind the other; as many more may be read.
  struct Tile {
    alignas(kLineBytes) float scales[kTileRows * kBlockGroups + kBlockGroups];
    alignas(kLineBytes) float biases[kTileRows * kBlockGroups + kBlockGroups];
  };

  /// `count` parameters to float32; `all`: how many there are from here to the end of the matrix.
  static HWY_INLINE void widen_parameters(Parameters parameters, const std::byte* from, std::int64_t count,
                                          std::int64_t all, float* to) {
    std::int64_t i = 0;
    for (; i < count && i + kLanes <= all; i += kLanes) {
      hn::Store(load_parameters(D(), parameters.dtype, from + i * parameters.bytes), D(), to + i);
    }
    if (i < count) {
      widen_to_float32(parameters.dtype, from + i * parameters.bytes, static_cast<std::size_t>(count - i), to + i);
    }
  }

  /// sums += the step of weights at w times step s of the vectors.
  template <int B>
  static HWY_INLINE void multiply_step(const std::byte* w, const Input<B>& in, std::int64_t s, V scale, V (&sums)[B]) {
    typename Dot::Sum dots[B];
    for (std::int64_t i = 0; i < kStepWords; i += kLanes) {
      const std::int64_t word = s * kStepWords + i;
      const std::byte* const x =
          in.x.q + word / kLineWords * kLineBytes * Dot::kParts + word % kLineWords * 4;
      const auto weights = Dot::unpack(w + i * 4);
      for (int b = 0; b < B; ++b) Dot::add(weights, x + b * in.x.stride, dots[b]);
    }
    for (int b = 0; b < B; ++b) {
      const V scaled = hn::Mul(hn::ConvertTo(D(), Dot::total(dots[b])), hn::Load(D(), in.scales[b][s]));
      sums[b] = hn::MulAdd(scaled, scale, sums[b]);
    }
  }

  /// One row: lane by lane, what its product is the sum of; to[b * kTileRows].
  template <int B>
  static HWY_INLINE void multiply_row(const std::byte* w, const float* scales, const float* biases, const Input<B>& in,
                                      V* to) {
    V sums[B];
    for (int b = 0; b < B; ++b) sums[b] = hn::Zero(D());
    for (std::int64_t g = 0; g < in.groups; g += kLanes) {
      // The others are those of the next row.
      const auto own = hn::FirstN(D(), static_cast<std::size_t>(in.groups - g));
      const V bias = hn::IfThenElseZero(own, hn::LoadU(D(), biases + g));
      for (int b = 0; b < B; ++b) {
        sums[b] = hn::MulAdd(bias, load_floats(in.x.sums + b * in.x.stride + g * 4), sums[b]);
      }
    }
    for (std::int64_t s = 0; s < in.steps; ++s, w += kStepWords * 4) {
      __builtin_prefetch(w + kPrefetchBytes, 0, 2);
      multiply_step<B>(w, in, s, Rows::step_scales(scales + s * kStepGroups), sums);
    }
    if constexpr (kStepGroups > 1) {
      if (in.rest_groups > 0) {  // x is zero past them
        const auto words = static_cast<std::size_t>(in.rest_groups * kGroupWords);
        alignas(kLineBytes) std::int32_t rest[kLanes];
        hn::Store(hn::MaskedLoad(hn::FirstN(DI(), words), DI(), reinterpret_cast<const std::int32_t*>(w)), DI(), rest);
        const V scale = Rows::step_scales(scales + in.steps * kStepGroups);
        multiply_step<B>(reinterpret_cast<const std::byte*>(rest), in, in.steps,
                         hn::IfThenElseZero(hn::FirstN(D(), words), scale), sums);
      }
    }
    for (int b = 0; b < B; ++b) to[b * kTileRows] = sums[b];
  }

  /// Rows [begin, end) times vectors [first, first + B).
  template <int B>
  static HWY_NOINLINE void multiply_rows(const QuantizedProduct& p, std::int64_t begin, std::int64_t end,
                                         std::int64_t first) {
    const MatrixView& w = p.w;
    const Parameters parameters = {w.groups.dtype, static_cast<std::int64_t>(dtype_size(w.groups.dtype))};
    const std::int64_t groups = w.cols / w.groups.group_size, row_bytes = w.row_bytes();
    const QuantizedLayout layout({p.type, w.groups.bits, w.groups.group_size}, w.cols,
                                 4 * Dot::kParts * w.groups.bits / 32);
    const std::byte* const x = p.x + first * p.x_stride;
    const Input<B> in({x, x + layout.sums(), x + layout.q(), p.x_stride}, groups);
    Tile tile = {};
    V sums[B * kTileRows];
    for (V& sum : sums) sum = hn::Zero(D());
    for (std::int64_t r = begin; r < end; r += kTileRows) {
      const std::int64_t rows = std::min(kTileRows, end - r), all = (w.rows - r) * groups;
      const auto parameters_at = [&](const void* data) {
        return static_cast<const std::byte*>(data) + r * groups * parameters.bytes;
      };
      widen_parameters(parameters, parameters_at(w.groups.scales), rows * groups, all, tile.scales);
      widen_parameters(parameters, parameters_at(w.groups.biases), rows * groups, all, tile.biases);
      const std::byte* words = static_cast<const std::byte*>(w.data) + r * row_bytes;
      for (std::int64_t i = 0; i < rows; ++i, words += row_bytes) {
        multiply_row<B>(words, tile.scales + i * groups, tile.biases + i * groups, in, sums + i);
      }
      for (int b = 0; b < B; ++b) {
        float* const y = p.y + (first + b) * p.y_stride + (r - p.rows.begin);
        const V totals = sum_of_lanes(sums + b * kTileRows);
        if (rows == kTileRows) {
          hn::StoreU(totals, D(), y);
        } else {
          alignas(kLineBytes) float some[kLanes];
          hn::Store(totals, D(), some);
          std::copy_n(some, rows, y);
        }
      }
    }
  }

  static void multiply_batch(const QuantizedProduct& p, std::int64_t begin, std::int64_t end) {
    // As in RowKernel, in whole tiles.
    const std::int64_t block =
        p.batch <= kVectors ? end - begin : (kRowBlockBytes / p.w.row_bytes() / kTileRows + 1) * kTileRows;
    for (std::int64_t r = begin; r < end; r += block) {
      const std::int64_t block_end = std::min(r + block, end);
      std::int64_t b = 0;
      for (; b + kVectors <= p.batch; b += kVectors) multiply_rows<kVectors>(p, r, block_end, b);
      if constexpr (kVectors > 2) {
        if (b + 2 <= p.batch) {
          multiply_rows<2>(p, r, block_end, b);
          b += 2;
        }
        if (b < p.batch) multiply_rows<1>(p, r, block_end, b);
      }
    }
  }

  static void multiply(const QuantizedProduct& p) {
    multiply_batch(p, p.rows.begin, p.rows.end);
    if (p.rows.offset != 0) multiply_batch(p, p.rows.begin + p.rows.offset, p.rows.end + p.rows.offset);
  }
};
