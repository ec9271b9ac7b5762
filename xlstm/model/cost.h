// What a network must move and compute, operation by operation: the yardstick that measured times are held against.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "xlstm/model/model.h"

namespace xlstm::model {

/// The operations that a forward pass is made of, in the order of evaluation. Each weight and each tensor of the state
/// belongs to one of them.
enum class Op : std::uint8_t {
  embed,
  norm,            // in front of a block's halves, and the last one
  up_projection,   // research mLSTM
  conv,            // research
  headwise,        // research: block-diagonal q k v, or the gates of an sLSTM
  gates,           // research mLSTM
  qkv_gates,       // large: every projection of the normed input
  mlstm_cell,      // the state is its traffic
  slstm_scan,      // recurrent product and pointwise part
  cell_norm,       // norm of the cell's output, and its output gate
  out_projection,  // back to the residual stream
  ffn_up_gate,
  ffn_down,
  head,
};
inline constexpr std::size_t kNumOps = static_cast<std::size_t>(Op::head) + 1;

/// "embed", "qkv_gates", ...
std::string_view op_name(Op op) noexcept;

/// Bytes that have to cross the memory bus, and floating-point operations.
struct Cost {
  double bytes = 0;
  double flops = 0;
};

/// The cost of each operation over all blocks.
class Costs {
 public:
  Cost& operator[](Op op) noexcept { return costs_[static_cast<std::size_t>(op)]; }
  const Cost& operator[](Op op) const noexcept { return costs_[static_cast<std::size_t>(op)]; }
  Cost total() const noexcept;

 private:
  std::array<Cost, kNumOps> costs_{};
};

/// One decode step of `batch` rows. Bytes: every weight but the embedding read once, and for each row one row of the
/// embedding read, the state read and the state written. FLOP: 2 a weight and row, mLSTM cells by reference section 2.4
/// ("recurrent form"); norms and activations are not counted. state_dtype: what matrix memories are kept in.
Costs decode_costs(const Model& model, std::int64_t batch, DType state_dtype = DType::float32);

/// Prefill of `batch` rows of `tokens`, one after the other in segments of `segment` tokens (at least 1). Bytes:
/// weights read, state read and state written once a segment, the head once, a row of the embedding a token. FLOP: 2 a
/// weight and token without the head, the head once, mLSTM cells by reference section 2.4 with phi = 1/2 and chunks as
/// the CPU kernel makes them.
Costs prefill_costs(const Model& model, std::int64_t batch, std::int64_t tokens, std::int64_t segment,
                    DType state_dtype = DType::float32);

/// Totals of the two above; the second of one row.
double decode_step_bytes(const Model& model, std::int64_t batch, DType state_dtype = DType::float32);
double prefill_flops(const Model& model, std::int64_t tokens);

}  // namespace xlstm::model
