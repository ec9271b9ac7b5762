// Chunkwise-parallel mLSTM for one head over panels of tokens (reference section 2.3).
#pragma once

#include <cstddef>
#include <cstdint>

namespace xlstm::kernels {

/// Tokens in one chunk at most; a larger chunk_size of a config is run as this one (any chunking gives the same result
/// in real arithmetic). 64 keeps P (64 x 64) and a head's q, k, v of the chunk in the second-level cache.
inline constexpr std::int64_t kMaxChunk = 64;

/// One head. Panels as in panel.h; pointers are to the head's first row in panel 0, *_stride is floats between panels.
struct MlstmChunkwise {
  std::int64_t qk = 0, v = 0;  // head widths
  std::int64_t tokens = 0;
  std::int64_t chunk_size = kMaxChunk;  // 1..kMaxChunk
  const float* q = nullptr;             // rows [qk]; multiplied by q_scale here
  const float* k = nullptr;             // rows [qk]; multiplied by k_scale here
  const float* value = nullptr;         // rows [v]
  const float* i_raw = nullptr;         // one row, soft-capped
  const float* f_raw = nullptr;
  std::int64_t q_stride = 0, k_stride = 0, value_stride = 0, gate_stride = 0;
  float q_scale = 1, k_scale = 1, eps = 0;
  float* c = nullptr;  // [qk, v], read and replaced
  float* n = nullptr;  // [qk]
  float* m = nullptr;  // one value
  float* h = nullptr;  // rows [v], written; lanes past `tokens` are left alone or finite
  std::int64_t h_stride = 0;
};

/// Floats of scratch that one call needs.
std::size_t mlstm_chunkwise_scratch(std::int64_t qk, std::int64_t v);

/// scratch: mlstm_chunkwise_scratch floats of the calling thread.
void mlstm_chunkwise(const MlstmChunkwise& args, float* scratch);

}  // namespace xlstm::kernels
