// Integer products of the words of quantised weights with activations, in the registers of one CPU target. Included by
// quantized_gemv-inl.h, which says in which namespace and with which instruction sets: more than once, so no guard.
//
// Dot<bits, element>::unpack makes kParts vectors of a vector of words, in the order that quantized_layout.h gives x,
// and add() adds, word by word, their products with x. All is exact: total() is int32, for at most 128 columns. The
// sums of Highway's vectors are structs with constructors of their own, as an implicit one would lack the target's
// attribute.

/// There is a product of kBits weights with int8; elsewhere activations are int16 in memory.
template <int kBits>
constexpr bool kMultipliesInt8 = XLSTM_VNNI || (kBits == 4 && (HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3));

#if HWY_TARGET == HWY_SCALAR

template <int kBits, class Element>
struct Dot {
  static constexpr int kElementBytes = sizeof(Element), kElements = 4 / kElementBytes;
  static constexpr int kParts = 32 / kBits / kElements;
  struct Sum {
    std::int32_t value = 0;
  };
  static std::uint32_t unpack(const std::byte* w) {
    std::uint32_t word;
    std::memcpy(&word, w, sizeof(word));
    return word;
  }
  static void add(std::uint32_t word, const std::byte* x, Sum& sum) {
    for (int p = 0; p < kParts; ++p) {
      for (int e = 0; e < kElements; ++e) {
        Element q;
        std::memcpy(&q, x + p * kLineBytes + e * kElementBytes, sizeof(q));
        sum.value += static_cast<std::int32_t>(word >> (e * kParts + p) * kBits & ((1u << kBits) - 1)) * q;
      }
    }
  }
  static VI total(const Sum& sum) { return hn::Set(DI(), sum.value); }
};

#else

using D16 = hn::Repartition<std::int16_t, DI>;
using V16 = hn::Vec<D16>;
using D8 = hn::Repartition<std::uint8_t, DI>;
using V8 = hn::Vec<D8>;

template <int kBits, class Element>
struct Dot;

/// Pairs of int16.
struct PairDot {
  struct Sum {
    VI a, b;  // NEON adds the two products of a word to different sums
    HWY_INLINE Sum() : a(hn::Zero(DI())), b(hn::Zero(DI())) {}
  };
  static HWY_INLINE V16 load(const std::byte* at) {
    return hn::LoadU(D16(), reinterpret_cast<const std::int16_t*>(at));
  }
  static HWY_INLINE void multiply(V16 w, const std::byte* x, Sum& sum) {
#if XLSTM_VNNI && HWY_TARGET == HWY_AVX3
    sum.a.raw = _mm512_dpwssd_epi32(sum.a.raw, w.raw, load(x).raw);
#elif XLSTM_VNNI
    sum.a.raw = _mm256_dpwssd_avx_epi32(sum.a.raw, w.raw, load(x).raw);
#else
    sum.a = hn::ReorderWidenMulAccumulate(DI(), w, load(x), sum.a, sum.b);
#if HWY_TARGET == HWY_AVX2
    asm("" : "+x"(sum.a.raw));  // adds each product at once: a batch's, added late, are more than the registers hold
#endif
#endif
  }
  static HWY_INLINE VI total(const Sum& sum) { return hn::Add(sum.a, sum.b); }
};

template <>
struct Dot<4, std::int16_t> : PairDot {
  static constexpr int kParts = 4;
  struct Weights {
    V16 a, b, c, d;
  };
  static HWY_INLINE Weights unpack(const std::byte* w) {
    const hn::RebindToUnsigned<D16> du;
    const auto mask = hn::Set(du, 15), words = hn::BitCast(du, load(w));
    return {hn::BitCast(D16(), hn::And(words, mask)), hn::BitCast(D16(), hn::And(hn::ShiftRight<4>(words), mask)),
            hn::BitCast(D16(), hn::And(hn::ShiftRight<8>(words), mask)), hn::BitCast(D16(), hn::ShiftRight<12>(words))};
  }
  static HWY_INLINE void add(const Weights& w, const std::byte* x, Sum& sum) {
    multiply(w.a, x, sum);
    multiply(w.b, x + kLineBytes, sum);
    multiply(w.c, x + 2 * kLineBytes, sum);
    multiply(w.d, x + 3 * kLineBytes, sum);
  }
};

template <>
struct Dot<8, std::int16_t> : PairDot {
  static constexpr int kParts = 2;
  struct Weights {
    V16 a, b;
  };
  static HWY_INLINE Weights unpack(const std::byte* w) {
    const hn::RebindToUnsigned<D16> du;
    const auto words = hn::BitCast(du, load(w));
    return {hn::BitCast(D16(), hn::And(words, hn::Set(du, 255))), hn::BitCast(D16(), hn::ShiftRight<8>(words))};
  }
  static HWY_INLINE void add(const Weights& w, const std::byte* x, Sum& sum) {
    multiply(w.a, x, sum);
    multiply(w.b, x + kLineBytes, sum);
  }
};

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3

HWY_INLINE V8 load_bytes(const std::byte* at) { return hn::LoadU(D8(), reinterpret_cast<const std::uint8_t*>(at)); }

#if XLSTM_VNNI

/// Quadruples of unsigned weights and int8.
struct QuadDot {
  struct Sum {
    VI value;
    HWY_INLINE Sum() : value(hn::Zero(DI())) {}
  };
  static HWY_INLINE void multiply(V8 w, const std::byte* x, Sum& sum) {
#if HWY_TARGET == HWY_AVX3
    sum.value.raw = _mm512_dpbusd_epi32(sum.value.raw, w.raw, load_bytes(x).raw);
#else
    sum.value.raw = _mm256_dpbusd_avx_epi32(sum.value.raw, w.raw, load_bytes(x).raw);
#endif
  }
  static HWY_INLINE VI total(const Sum& sum) { return sum.value; }
};

template <>
struct Dot<8, std::int8_t> : QuadDot {
  static constexpr int kParts = 1;
  static HWY_INLINE V8 unpack(const std::byte* w) { return load_bytes(w); }
  static HWY_INLINE void add(V8 w, const std::byte* x, Sum& sum) { multiply(w, x, sum); }
};

#else

/// The same by way of sums of pairs in int16: those of 4-bit weights, 15 * 127 * 2, of two parts and at most two
/// vectors a group stay below 2^15; those of 8-bit weights would not.
struct QuadDot {
  struct Sum {
    V16 value;
    HWY_INLINE Sum() : value(hn::Zero(D16())) {}
  };
  static HWY_INLINE void multiply(V8 w, const std::byte* x, Sum& sum) {
#if HWY_TARGET == HWY_AVX3
    sum.value = hn::Add(sum.value, V16{_mm512_maddubs_epi16(w.raw, load_bytes(x).raw)});
#else
    sum.value = hn::Add(sum.value, V16{_mm256_maddubs_epi16(w.raw, load_bytes(x).raw)});
#endif
  }
  static HWY_INLINE VI total(const Sum& sum) {
    VI none = hn::Zero(DI());
    return hn::ReorderWidenMulAccumulate(DI(), sum.value, hn::Set(D16(), 1), none, none);
  }
};

#endif  // XLSTM_VNNI

template <>
struct Dot<4, std::int8_t> : QuadDot {
  static constexpr int kParts = 2;
  struct Weights {
    V8 a, b;
  };
  static HWY_INLINE Weights unpack(const std::byte* w) {
    const V8 mask = hn::Set(D8(), 15), bytes = load_bytes(w);
    const hn::RebindToUnsigned<D16> d16;
    return {hn::And(bytes, mask), hn::And(hn::BitCast(D8(), hn::ShiftRight<4>(hn::BitCast(d16, bytes))), mask)};
  }
  static HWY_INLINE void add(const Weights& w, const std::byte* x, Sum& sum) {
    multiply(w.a, x, sum);
    multiply(w.b, x + kLineBytes, sum);
  }
};

#endif  // AVX2, AVX3
#endif  // SCALAR
