// Integer products of the words of quantised weights with activations by sdot and udot, and usdot where the CPU has it
// (XLSTM_NEON_I8MM). Included by quantized_gemv-inl.h in the place of quantized_dot-inl.h, which says what Dot is: more
// than once, so no guard.
//
// All products are of bytes: an int16 is a signed high and an unsigned low one (quantized_layout.h, planes). Two dot
// products of 16 bytes then do the work of four smlal, and the weights are never widened.

template <int kBits>
constexpr bool kMultipliesInt8 = true;

HWY_INLINE uint8x16_t load_bytes(const std::byte* at) { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(at)); }

/// Unsigned weights, part by part.
template <int kBits>
struct ByteWeights {
  static constexpr int kParts = 8 / kBits;
  uint8x16_t part[kParts];

  static HWY_INLINE ByteWeights unpack(const std::byte* w) {
    const uint8x16_t bytes = load_bytes(w);
    if constexpr (kBits == 8) {
      return {{bytes}};
    } else {
      return {{vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8(bytes, 4)}};
    }
  }
};

/// Sums of products of unsigned weights and signed bytes.
template <int kBits>
struct SignedSum {
  int32x4_t products, offset;
  HWY_INLINE SignedSum() : products(vdupq_n_s32(0)), offset(vdupq_n_s32(0)) {}

  HWY_INLINE void add(uint8x16_t w, uint8x16_t x) {
#if XLSTM_NEON_I8MM
    XLSTM_ADD_PRODUCTS("usdot", products, w, x);
#else
    if constexpr (kBits == 8) {  // less 128 they have a sign; what is missing then is the same for every row
      const uint8x16_t shifted = veorq_u8(w, vdupq_n_u8(128)), minus_128 = vdupq_n_u8(128);
      XLSTM_ADD_PRODUCTS("sdot", products, shifted, x);
      XLSTM_ADD_PRODUCTS("sdot", offset, x, minus_128);
    } else {
      XLSTM_ADD_PRODUCTS("sdot", products, w, x);
    }
#endif
  }
  HWY_INLINE int32x4_t total() const { return vsubq_s32(products, offset); }
};

template <int kBits, class Element>
struct Dot;

template <int kBits>
struct Dot<kBits, std::int8_t> : ByteWeights<kBits> {
  using Weights = ByteWeights<kBits>;
  static constexpr int kParts = Weights::kParts;
  using Sum = SignedSum<kBits>;
  static HWY_INLINE void add(const Weights& w, const std::byte* x, Sum& sum) {
    for (int p = 0; p < kParts; ++p) sum.add(w.part[p], load_bytes(x + p * kLineBytes));
  }
  static HWY_INLINE VI total(const Sum& sum) { return VI(sum.total()); }
};

template <int kBits>
struct Dot<kBits, std::int16_t> : ByteWeights<kBits> {
  using Weights = ByteWeights<kBits>;
  static constexpr int kParts = 2 * Weights::kParts;
  struct Sum {
    SignedSum<kBits> high;
    int32x4_t low;
    HWY_INLINE Sum() : low(vdupq_n_s32(0)) {}
  };
  static HWY_INLINE void add(const Weights& w, const std::byte* x, Sum& sum) {
    const std::byte* const low = x + Weights::kParts * kLineBytes;
    for (int p = 0; p < Weights::kParts; ++p) {
      sum.high.add(w.part[p], load_bytes(x + p * kLineBytes));
      const uint8x16_t low_bytes = load_bytes(low + p * kLineBytes);
      XLSTM_ADD_PRODUCTS("udot", sum.low, w.part[p], low_bytes);
    }
  }
  static HWY_INLINE VI total(const Sum& sum) { return VI(vaddq_s32(vshlq_n_s32(sum.high.total(), 8), sum.low)); }
};
