#include "xlstm/kernels/cpu/mlstm_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "xlstm/base/random.h"

namespace xlstm {
namespace {

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// Random tokens of one head.
struct Head {
  Head(std::size_t count, std::size_t qk_dim, std::size_t v_dim)
      : tokens(count), qk(qk_dim), v(v_dim), q(count * qk_dim), k(q.size()), value(count * v_dim) {
    RngKey key{7, 0};
    for (std::vector<float>* x : {&q, &k, &value}) {
      for (float& element : *x) element = static_cast<float>(uniform(RngKey{7, ++key.step})) - 0.5f;
    }
    for (std::size_t t = 0; t < tokens; ++t) {
      const float m = t == 0 ? 0.0f : gates.back().m;
      gates.push_back(kernels::mlstm_gates(static_cast<float>(t % 3) - 1.0f, 2.0f, m));
    }
  }

  std::size_t tokens, qk, v;
  std::vector<float> q, k, value;
  std::vector<kernels::MlstmGates> gates;
};

/// Tokens [begin, end), one after the other.
template <class T>
void single_steps(const Head& head, std::size_t begin, std::size_t end, DType dtype, std::vector<T>& c,
                  std::vector<float>& h) {
  for (std::size_t t = begin; t < end; ++t) {
    kernels::mlstm_step_slice(head.gates[t], &head.q[t * head.qk], &head.k[t * head.qk], &head.value[t * head.v],
                              static_cast<std::int64_t>(head.qk), static_cast<std::int64_t>(head.v),
                              static_cast<std::int64_t>(head.v), {dtype, c.data()}, &h[t * head.v]);
  }
}

/// Tokens [begin, end) together, the first `kept` of them folded.
template <class T>
void steps(const Head& head, std::size_t begin, std::size_t end, std::size_t kept, DType dtype, std::vector<T>& c,
           std::vector<float>& h) {
  kernels::MlstmSteps args;
  args.tokens = static_cast<std::int64_t>(end - begin);
  args.kept = static_cast<std::int64_t>(kept);
  args.gates = &head.gates[begin];
  args.q = &head.q[begin * head.qk];
  args.k = &head.k[begin * head.qk];
  args.v = &head.value[begin * head.v];
  args.h = &h[begin * head.v];
  args.gate_stride = 1;
  args.q_stride = args.k_stride = static_cast<std::int64_t>(head.qk);
  args.v_stride = args.h_stride = static_cast<std::int64_t>(head.v);
  kernels::mlstm_steps_slice(args, args.q_stride, args.v_stride, args.v_stride, {dtype, c.data()});
}

/// A C that two tokens have made, then `tokens` more of which `kept` are folded.
template <class T>
void expect_bits_of_single_steps(DType dtype, std::size_t tokens, std::size_t kept, std::size_t qk, std::size_t v) {
  const Head head(tokens + 2, qk, v);
  std::vector<T> c(qk * v);
  std::vector<float> expected_h(head.value.size()), h(expected_h.size());
  single_steps(head, 0, 2, dtype, c, expected_h);
  std::vector<T> expected_c = c, all = c;
  single_steps(head, 2, 2 + kept, dtype, expected_c, expected_h);
  single_steps(head, 2, 2 + tokens, dtype, all, expected_h);
  steps(head, 2, 2 + tokens, kept, dtype, c, h);
  std::copy_n(expected_h.begin(), (2 + kept) * v, h.begin());  // not written
  EXPECT_TRUE(same_bits(c, expected_c));
  EXPECT_TRUE(same_bits(h, expected_h));
}

TEST(MlstmSteps, HaveTheBitsOfSingleSteps) {
  for (const std::size_t tokens : {1u, 2u, 5u, 16u}) {
    for (const std::size_t kept : {std::size_t{0}, std::size_t{1}, tokens / 2, tokens}) {
      for (const std::size_t v : {1u, 7u, 16u, 33u}) {
        SCOPED_TRACE(std::to_string(tokens) + " tokens, " + std::to_string(kept) + " kept, v " + std::to_string(v));
        expect_bits_of_single_steps<float>(DType::float32, tokens, kept, 9, v);
        expect_bits_of_single_steps<std::uint16_t>(DType::bfloat16, tokens, kept, 9, v);
      }
    }
  }
}

}  // namespace
}  // namespace xlstm
