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
  const auto halves = [&](V x, V y)
                          HWY_ATTR { return hn::Add(hn::ConcatLowerLower(d, y, x), hn::ConcatUpperUpper(d, y, x)); };
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
  static constexpr std::int64_t kTileGroups = kTileRows * kBlockGroups + kBlockGroups;  // as many more may be read

  /// What a group has of its own, row behind row: scales and biases of weights times what activations have.
  template <int B>
  struct Tile {
    alignas(kLineBytes) float scales[B][kTileGroups], biases[B][kTileGroups];
  };

  /// B vectors; scales and sums of their groups once for each row of a tile.
  template <int B>
  struct Input {
    const std::byte* q;
    std::int64_t stride, groups;
    Tile<B> tile;

    HWY_INLINE Input(const Vectors& x, std::int64_t num_groups) : q(x.q), stride(x.stride), groups(num_groups) {
      for (int b = 0; b < B; ++b) {
        repeat(x.scales + b * stride, tile.scales[b]);
        repeat(x.sums + b * stride, tile.biases[b]);
      }
    }

   private:
    HWY_INLINE void repeat(const std::byte* from, float* to) const {
      for (std::int64_t row = 0; row < kTileRows; ++row, to += groups) {
        for (std::int64_t g = 0; g < groups; g += kLanes) hn::StoreU(load_floats(from + g * 4), D(), to + g);
      }
    }
  };

  /// `count` parameters times those of the vectors; `all`: how many there are up to the end of the matrix.
  template <int B>
  static HWY_INLINE void multiply_parameters(Parameters parameters, const std::byte* from, std::int64_t count,
                                             std::int64_t all, const float (&x)[B][kTileGroups],
                                             float (&to)[B][kTileGroups]) {
    for (std::int64_t i = 0; i < count; i += kLanes, from += kLanes * parameters.bytes) {
      V values;
      if (i + kLanes <= all) {
        values = load_parameters(D(), parameters.dtype, from);
      } else {
        alignas(kLineBytes) float rest[kLanes] = {};
        widen_to_float32(parameters.dtype, from, static_cast<std::size_t>(all - i), rest);
        values = hn::Load(D(), rest);
      }
      for (int b = 0; b < B; ++b) hn::Store(hn::Mul(values, hn::Load(D(), x[b] + i)), D(), to[b] + i);
    }
  }

  /// sums[r * B + b] += step s of row r, whose words are at w[r], times that of vector b.
  template <int R, int B>
  static HWY_INLINE void multiply_step(const std::byte* const (&w)[R], const Input<B>& in, std::int64_t s,
                                       const V (&scales)[R * B], V (&sums)[R * B]) {
    typename Dot::Sum dots[R * B];
    for (std::int64_t i = 0; i < kStepWords; i += kLanes) {
      const std::int64_t word = s * kStepWords + i;
      const std::byte* const x = in.q + word / kLineWords * kLineBytes * Dot::kParts + word % kLineWords * 4;
      for (int r = 0; r < R; ++r) {
        const auto weights = Dot::unpack(w[r] + i * 4);
        for (int b = 0; b < B; ++b) Dot::add(weights, x + b * in.stride, dots[r * B + b]);
      }
    }
    for (int i = 0; i < R * B; ++i) {
      sums[i] = hn::MulAdd(hn::ConvertTo(D(), Dot::total(dots[i])), scales[i], sums[i]);
    }
  }

  /// Rows [first, first + R) of a tile, w and the next `row_bytes` apart: lane by lane, what their products are the
  /// sums of; to[b * kTileRows + r].
  template <int R, int B>
  static HWY_INLINE void multiply_row(const std::byte* w, std::int64_t row_bytes, const Tile<B>& tile,
                                      std::int64_t first, const Input<B>& in, V* to) {
    V sums[R * B], scales[R * B];
#pragma GCC unroll 4
    for (int i = 0; i < R * B; ++i) {  // what follows is of the next row
      const float* const biases = tile.biases[i % B] + (first + i / B) * in.groups;
      sums[i] = hn::IfThenElseZero(hn::FirstN(D(), static_cast<std::size_t>(in.groups)), hn::LoadU(D(), biases));
      if constexpr (kLanes < kBlockGroups) {
        for (std::int64_t g = kLanes; g < in.groups; g += kLanes) {
          const auto own = hn::FirstN(D(), static_cast<std::size_t>(in.groups - g));
          sums[i] = hn::Add(sums[i], hn::IfThenElseZero(own, hn::LoadU(D(), biases + g)));
        }
      }
    }
    const auto load_scales = [&](std::int64_t s) XLSTM_ROWS_ATTR {
      for (int i = 0; i < R * B; ++i) {
        scales[i] = Rows::step_scales(tile.scales[i % B] + (first + i / B) * in.groups + s * kStepGroups);
      }
    };
    const std::byte* rows[R];
    for (int r = 0; r < R; ++r) rows[r] = w + r * row_bytes;
    const std::int64_t steps = in.groups / kStepGroups;
    for (std::int64_t s = 0; s < steps; ++s) {
      load_scales(s);
      for (int r = 0; r < R; ++r) fetch_line(rows[r]);
      multiply_step<R, B>(rows, in, s, scales, sums);
      for (int r = 0; r < R; ++r) rows[r] += kStepWords * 4;
    }
    if constexpr (kStepGroups > 1) {
      if (const std::int64_t rest_groups = in.groups % kStepGroups; rest_groups > 0) {  // x is zero past them
        const auto words = static_cast<std::size_t>(rest_groups * kGroupWords);
        alignas(kLineBytes) std::int32_t rest[R][kLanes];
        load_scales(steps);
        for (int r = 0; r < R; ++r) {
          const auto* const from = reinterpret_cast<const std::int32_t*>(rows[r]);
          hn::Store(hn::MaskedLoad(hn::FirstN(DI(), words), DI(), from), DI(), rest[r]);
          rows[r] = reinterpret_cast<const std::byte*>(rest[r]);
        }
        for (V& scale : scales) scale = hn::IfThenElseZero(hn::FirstN(D(), words), scale);
        multiply_step<R, B>(rows, in, steps, scales, sums);
      }
    }
    for (int i = 0; i < R * B; ++i) to[i % B * kTileRows + i / B] = sums[i];
  }

  /// Rows of both streams times vectors [first, first + B).
  template <int B>
  static HWY_NOINLINE void multiply_rows(const QuantizedProduct& p, const RowRange& rows, std::int64_t first) {
    const std::int64_t groups = p.w.cols / p.w.groups.group_size;
    const QuantizedLayout layout({p.type, p.w.groups.bits, p.w.groups.group_size}, p.w.cols,
                                 4 * Dot::kParts * p.w.groups.bits / 32);
    const std::byte* const x = p.x + first * p.x_stride;
    const Input<B> in({x, x + layout.sums(), x + layout.q(), p.x_stride}, groups);
    multiply_stream<B>(p, rows.begin, rows.end, first, in);
    if (rows.offset != 0) multiply_stream<B>(p, rows.begin + rows.offset, rows.end + rows.offset, first, in);
  }

  template <int B>
  static HWY_INLINE void multiply_stream(const QuantizedProduct& p, std::int64_t begin, std::int64_t end,
                                         std::int64_t first, const Input<B>& in) {
    constexpr int R = kVectors / B;  // rows that share a pass over x
    const MatrixView& w = p.w;
    const Parameters parameters = {w.groups.dtype, static_cast<std::int64_t>(dtype_size(w.groups.dtype))};
    const std::int64_t groups = in.groups, row_bytes = w.row_bytes();
    // Made a tile ahead: loads that take parts of several stores wait until those have reached the cache.
    Tile<B> tiles[2];
    const auto prepare = [&](std::int64_t r) XLSTM_ROWS_ATTR {
      const std::int64_t count = std::min(kTileRows, end - r) * groups, all = (w.rows - r) * groups;
      Tile<B>& to = tiles[(r - begin) / kTileRows % 2];
      const auto from = [&](const void* data) {
        return static_cast<const std::byte*>(data) + r * groups * parameters.bytes;
      };
      multiply_parameters<B>(parameters, from(w.groups.scales), count, all, in.tile.scales, to.scales);
      multiply_parameters<B>(parameters, from(w.groups.biases), count, all, in.tile.biases, to.biases);
    };
    V sums[B * kTileRows];
    for (V& sum : sums) sum = hn::Zero(D());
    if (begin < end) prepare(begin);
    for (std::int64_t r = begin; r < end; r += kTileRows) {
      if (r + kTileRows < end) prepare(r + kTileRows);
      const Tile<B>& tile = tiles[(r - begin) / kTileRows % 2];
      const std::int64_t rows = std::min(kTileRows, end - r);
      const std::byte* words = static_cast<const std::byte*>(w.data) + r * row_bytes;
      std::int64_t i = 0;
      for (; i + R <= rows; i += R, words += R * row_bytes) {
        multiply_row<R, B>(words, row_bytes, tile, i, in, sums + i);
      }
      for (; i < rows; ++i, words += row_bytes) multiply_row<1, B>(words, row_bytes, tile, i, in, sums + i);
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

  static void multiply(const QuantizedProduct& p) {
    // As in RowKernel, in whole tiles.
    const std::int64_t block = p.batch <= kVectors ? p.rows.end - p.rows.begin
                                                   : (kRowBlockBytes / p.w.row_bytes() / kTileRows + 1) * kTileRows;
    for (std::int64_t r = p.rows.begin; r < p.rows.end; r += block) {
      const RowRange rows = {r, std::min(r + block, p.rows.end), p.rows.offset};
      std::int64_t b = 0;
      for (; b + kVectors <= p.batch; b += kVectors) multiply_rows<kVectors>(p, rows, b);
      if constexpr (kVectors > 2) {
        if (b + 2 <= p.batch) {
          multiply_rows<2>(p, rows, b);
          b += 2;
        }
        if (b < p.batch) multiply_rows<1>(p, rows, b);
      }
    }
  }
};
