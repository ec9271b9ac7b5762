#include "xlstm/kernels/cpu/mlstm_chunkwise.h"

#include <algorithm>
#include <cmath>

#include "xlstm/kernels/cpu/mlstm_step.h"
#include "xlstm/kernels/cpu/panel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/mlstm_chunkwise.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/math-inl.h"
#include "xlstm/kernels/cpu/micro_gemm-inl.h"
#include "xlstm/kernels/cpu/transpose-inl.h"

#ifndef XLSTM_MLSTM_CHUNKWISE_BUFFERS
#define XLSTM_MLSTM_CHUNKWISE_BUFFERS
namespace xlstm::kernels {

/// Panels of queries that read C together: a tile's, where it is widest (micro_gemm-inl.h).
inline constexpr std::int64_t kOutputPanels = 2;

/// Floats from one token's v to the next: whole lines, and a line more. Rows a power of two apart would share a few
/// sets of the first-level cache.
inline std::int64_t stride_of_v(std::int64_t v) { return (num_panels(v) + 1) * kPanelWidth; }

/// The chunk's working set, cut out of the caller's scratch. L = kMaxChunk.
struct ChunkBuffers {
  float* q;      // panels [L/16][qk][16]: s q, later beta s q
  float* k;      // [qk][L]: k, later a_bar k
  float* v;      // [L][v_stride]: token by token
  float* p;      // panels [L/16][L][16]: P^T, row j (key), lane t (query)
  float* h;      // [kOutputPanels][v][16]: outputs before they are divided
  float* log_f;  // [L]
  float* i;      // [L]: i
  float* a;      // [L]: suffix sum + i, then exp(a - M')
  float* m;      // [L]: stabiliser of each row
  float* beta;   // [L]
  float* qn;     // [L]
  std::int64_t v_stride;

  ChunkBuffers(float* s, std::int64_t qk, std::int64_t v_dim) {
    constexpr std::int64_t L = kMaxChunk;
    v_stride = stride_of_v(v_dim);
    const auto take = [&s](std::int64_t size) {
      float* p0 = s;
      s += size;
      return p0;
    };
    q = take(qk * L);
    k = take(qk * L);
    v = take(L * v_stride);
    p = take(L * L);
    h = take(kOutputPanels * v_dim * kPanelWidth);
    for (float** row : {&log_f, &i, &a, &m, &beta, &qn}) *row = take(L);
  }
};

}  // namespace xlstm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Args = MlstmChunkwise;
constexpr std::int64_t W = kPanelWidth;
constexpr std::int64_t L = kMaxChunk;

// One row of a panel activation, tokens [t0, t0 + count) -> contiguous, scaled; the rest of the last panel is zero.
HWY_INLINE void copy_row(const float* row, std::int64_t panel_stride, std::int64_t t0, std::int64_t count, float scale,
                         float* out) {
  const DP d;
  if (t0 % W == 0) {
    for (std::int64_t t = 0; t < count; t += W) {
      const float* from = row + (t0 + t) / W * panel_stride;
      for (int j = 0; j < W; j += kLanes)
        hn::StoreU(hn::Mul(hn::Set(d, scale), hn::LoadU(d, from + j)), d, out + t + j);
    }
  } else {
    for (std::int64_t t = 0; t < count; ++t) out[t] = scale * row[(t0 + t) / W * panel_stride + (t0 + t) % W];
  }
  const std::int64_t padded = num_panels(count) * W;
  std::fill(out + count, out + padded, 0.0f);
}

/// v, token by token; zeros or nothing past the last.
void load_values(const Args& args, const ChunkBuffers& s, std::int64_t t0, std::int64_t count) {
  alignas(64) float rows[4][L];
  for (std::int64_t r = 0; r < args.v; r += 4) {
    const std::int64_t last =
        args.v - 1;  // the row once more where fewer than 4 are left: columns past the last are not read
    for (std::int64_t i = 0; i < 4; ++i) {
      copy_row(args.value + std::min(r + i, last) * W, args.value_stride, t0, count, 1.0f, rows[i]);
    }
    transpose_4_rows(rows[0], num_panels(count) * W, L, s.v + r, s.v_stride);
  }
}

void load_chunk(const Args& args, const ChunkBuffers& s, std::int64_t t0, std::int64_t count) {
  alignas(64) float row[L];
  for (std::int64_t r = 0; r < args.qk; ++r) {
    copy_row(args.k + r * W, args.k_stride, t0, count, args.k_scale, s.k + r * L);
    copy_row(args.q + r * W, args.q_stride, t0, count, args.q_scale, row);
    for (std::int64_t p = 0; p < num_panels(count); ++p) std::copy_n(row + p * W, W, s.q + (p * args.qk + r) * W);
  }
  load_values(args, s, t0, count);
  copy_row(args.i_raw, args.gate_stride, t0, count, 1.0f, s.i);
  copy_row(args.f_raw, args.gate_stride, t0, count, 1.0f, s.log_f);
  for_each_vector(num_panels(count) * W, [&](auto d, std::int64_t t) HWY_ATTR {
    hn::StoreU(log_sigmoid(d, hn::LoadU(d, s.log_f + t)), d, s.log_f + t);
  });
}

/// Everything that is a function of one token's gates: m_t, beta_t, exp(a_t - M'). Returns exp(g + M - M'); m becomes
/// M'.
float gate_weights(const ChunkBuffers& s, std::int64_t count, float* m) {
  const float m_old = *m;
  float sum = 0, m_new = m_old;  // b_t, m_t: the recurrence of the step, so M' is m_t of the last token
  for (std::int64_t t = 0; t < count; ++t) {
    sum += s.log_f[t];
    m_new = mlstm_stabilizer(s.log_f[t] + m_new, s.i[t]);
    s.m[t] = m_new;
    s.beta[t] = sum + m_old - m_new;
  }
  float suffix = 0;
  for (std::int64_t t = count - 1; t >= 0; --t) {  // the suffix sum, not g - b_t: no cancellation
    s.a[t] = suffix + s.i[t] - m_new;
    suffix += s.log_f[t];
  }
  for (std::int64_t t = count; t < num_panels(count) * W; ++t) {  // lanes past the end: weight 0, harmless everywhere
    s.m[t] = 0;
    s.beta[t] = -INFINITY;
    s.a[t] = -INFINITY;
  }
  for_each_vector(num_panels(count) * W, [&](auto d, std::int64_t t) HWY_ATTR {
    hn::StoreU(hn::Exp(d, hn::LoadU(d, s.beta + t)), d, s.beta + t);
    hn::StoreU(hn::Exp(d, hn::LoadU(d, s.a + t)), d, s.a + t);
  });
  *m = m_new;
  return std::exp(sum + m_old - m_new);
}

/// P^T = S^T o exp(D - m) for one panel of queries, and qn_t = sum_j P_tj. Keys after the last query of the panel are
/// not touched.
void attend(const Args& args, const ChunkBuffers& s, std::int64_t panel, std::int64_t count) {
  const DP d;
  const std::int64_t first = panel * W;
  const std::int64_t keys = std::min(count, first + W);
  float* p = s.p + panel * L * W;
  gemm16<Strides{1, static_cast<int>(L), W}>({s.k, 1, L, s.q + panel * args.qk * W, W, p, W, args.qk, 0.0f}, keys);
  for (int lane = 0; lane < W; lane += kLanes) {
    const std::int64_t t = first + lane;
    const VP m = hn::LoadU(d, s.m + t);
    const VP position = hn::Iota(d, static_cast<float>(t));
    // D_tj = log f_(j+1) + ... + log f_t + i_j, summed from t downwards: b_t - b_j would lose the digits of whatever
    // was forgotten before j, and all of them to f = 0.
    VP forgotten = hn::Zero(d), sum = hn::Zero(d);
    for (std::int64_t j = keys - 1; j >= 0; --j) {
      const VP log_weight = hn::Sub(hn::Add(forgotten, hn::Set(d, s.i[j])), m);
      const VP weight = hn::Exp(d, hn::Min(log_weight, hn::Zero(d)));
      const auto causal = hn::Ge(position, hn::Set(d, static_cast<float>(j)));
      const VP value = hn::IfThenElseZero(causal, hn::Mul(weight, hn::LoadU(d, p + j * W + lane)));
      forgotten = hn::Add(forgotten, hn::IfThenElseZero(causal, hn::Set(d, s.log_f[j])));
      hn::StoreU(value, d, p + j * W + lane);
      sum = hn::Add(sum, value);
    }
    hn::StoreU(sum, d, s.qn + t);
  }
}

/// q <- beta q in one panel; qn_t += (beta q)_t . n.
void scale_queries(const Args& args, const ChunkBuffers& s, std::int64_t panel) {
  const DP d;
  float* q = s.q + panel * args.qk * W;
  for (int lane = 0; lane < W; lane += kLanes) {
    const VP beta = hn::LoadU(d, s.beta + panel * W + lane);
    VP sum = hn::LoadU(d, s.qn + panel * W + lane);
    for (std::int64_t r = 0; r < args.qk; ++r) {
      const VP scaled = hn::Mul(beta, hn::LoadU(d, q + r * W + lane));
      hn::StoreU(scaled, d, q + r * W + lane);
      sum = hn::MulAdd(hn::Set(d, args.n[r]), scaled, sum);
    }
    hn::StoreU(sum, d, s.qn + panel * W + lane);
  }
}

/// beta q C for some panels of queries; each element of C is loaded once for them all.
void read_memory(const Args& args, const ChunkBuffers& s, std::int64_t panel, std::int64_t panels) {
  const float* q = s.q + panel * args.qk * W;
  gemm_panels<Strides{1, 0, W}>({args.c, 1, args.v, q, W, s.h, W, args.qk, 0.0f, args.qk * W, args.v * W}, args.v,
                                panels);
}

/// h = (beta q C + P V) / den for one panel of queries, whose beta q C is in `sums`.
void write_outputs(const Args& args, const ChunkBuffers& s, std::int64_t t0, std::int64_t panel, std::int64_t count,
                   float* sums) {
  const DP d;
  const std::int64_t first = panel * W, keys = std::min(count, first + W);
  gemm16<Strides{1, 0, W}>({s.v, 1, s.v_stride, s.p + panel * L * W, W, sums, W, keys, 1.0f}, args.v);
  alignas(64) float inverse[W];
  for (int lane = 0; lane < W; lane += kLanes) {
    const VP m = hn::LoadU(d, s.m + first + lane);
    const VP denominator =
        hn::Add(hn::Max(hn::Abs(hn::LoadU(d, s.qn + first + lane)), exp_any(d, hn::Neg(m))), hn::Set(d, args.eps));
    // m carries a NaN of the gates, which the weights would hide.
    hn::StoreU(hn::IfThenElse(hn::IsNaN(m), m, hn::Div(hn::Set(d, 1.0f), denominator)), d, inverse + lane);
  }
  const std::int64_t start = t0 + first, valid = std::min(W, count - first);
  for (std::int64_t e = 0; e < args.v; ++e) {
    const float* from = sums + e * W;
    if (start % W == 0) {
      float* to = args.h + start / W * args.h_stride + e * W;
      for (int lane = 0; lane < W; lane += kLanes) {
        hn::StoreU(hn::Mul(hn::LoadU(d, from + lane), hn::LoadU(d, inverse + lane)), d, to + lane);
      }
    } else {
      for (std::int64_t t = 0; t < valid; ++t) {
        args.h[(start + t) / W * args.h_stride + e * W + (start + t) % W] = from[t] * inverse[t];
      }
    }
  }
}

/// C = decay C + (a_bar k) V; n = decay n + sum_t a_bar k.
void update_state(const Args& args, const ChunkBuffers& s, std::int64_t count, float decay) {
  const DP d;
  for (std::int64_t r = 0; r < args.qk; ++r) {
    float* k = s.k + r * L;
    VP sum = hn::Zero(d);
    for (std::int64_t t = 0; t < num_panels(count) * W; t += kLanes) {  // a_bar is 0 past the last token
      const VP weighted = hn::Mul(hn::LoadU(d, k + t), hn::LoadU(d, s.a + t));
      hn::StoreU(weighted, d, k + t);
      sum = hn::Add(sum, weighted);
    }
    args.n[r] = decay * args.n[r] + hn::GetLane(hn::SumOfLanes(d, sum));
  }
  // gemm16 takes beta 0 as "do not read": a decay that underflowed to 0 means just that.
  const std::int64_t whole = args.v / W * W;
  const auto columns = [&](std::int64_t e) {
    return Tile{s.k, L, 1, s.v + e, s.v_stride, args.c + e, args.v, count, decay, W, W};
  };
  gemm_panels<Strides{static_cast<int>(L), 1, 0}>(columns(0), args.qk, whole / W);
  if (whole < args.v) gemm16_partial(columns(whole), args.qk, args.v - whole);
}

void mlstm_chunkwise_target(const MlstmChunkwise& args, float* scratch) {
  const ChunkBuffers s(scratch, args.qk, args.v);
  const std::int64_t chunk = std::clamp<std::int64_t>(args.chunk_size, 1, L);
  for (std::int64_t t0 = 0; t0 < args.tokens; t0 += chunk) {
    const std::int64_t count = std::min(chunk, args.tokens - t0);
    load_chunk(args, s, t0, count);
    const float decay = gate_weights(s, count, args.m);
    for (std::int64_t panel = 0; panel < num_panels(count); panel += kOutputPanels) {
      const std::int64_t panels = std::min(kOutputPanels, num_panels(count) - panel);
      for (std::int64_t p = panel; p < panel + panels; ++p) {
        attend(args, s, p, count);
        scale_queries(args, s, p);
      }
      read_memory(args, s, panel, panels);
      for (std::int64_t p = panel; p < panel + panels; ++p) {
        write_outputs(args, s, t0, p, count, s.h + (p - panel) * args.v * W);
      }
    }
    update_state(args, s, count, decay);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(mlstm_chunkwise_target);

std::size_t mlstm_chunkwise_scratch(std::int64_t qk, std::int64_t v) {
  // 16 more: tiles of k read up to a vector past the last key.
  return static_cast<std::size_t>(2 * qk * kMaxChunk + kMaxChunk * stride_of_v(v) + kMaxChunk * kMaxChunk +
                                  kOutputPanels * v * kPanelWidth + 6 * kMaxChunk + kPanelWidth);
}

void mlstm_chunkwise(const MlstmChunkwise& args, float* scratch) {
  HWY_DYNAMIC_DISPATCH(mlstm_chunkwise_target)(args, scratch);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
