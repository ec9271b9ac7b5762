// The forms in which products want their activations: each is made once for all products of one input.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "xlstm/backend/cpu/pass.h"
#include "xlstm/kernels/cpu/quantized_gemv.h"
#include "xlstm/model/model.h"

namespace xlstm::backend {

struct ActivationForm {
  enum class Kind : std::uint8_t {
    plain,      // float32 as it is
    permuted,   // decode, bfloat16 weights: the order of kernels::gemv_prepare
    amx,        // prefill, bfloat16 weights: three parts for the tile unit
    bfloat16,   // prefill, bfloat16 weights: rounded, for the tile unit or dot products of bfloat16
    quantized,  // integers, a scale a group
  };
  Kind kind = Kind::plain;
  bool rounded = false;  // to bfloat16 first
  kernels::QuantizedFormat format = {};
  friend bool operator==(const ActivationForm&, const ActivationForm&) = default;
};

/// What a product with these weights wants. exact: float32 whatever the run uses.
ActivationForm vector_form(const Pass& pass, const model::Matrix& weights, bool exact);
ActivationForm panel_form(const Pass& pass, const model::Matrix& weights, bool exact);

/// Rows of activations (vectors or panels) in a form; row r starts at data + r * stride (bytes).
struct ActivationRows {
  ActivationForm form;
  const std::byte* data = nullptr;
  std::int64_t stride = 0;

  /// Of a float form.
  const float* floats() const { return reinterpret_cast<const float*>(data); }
  std::int64_t float_stride() const { return stride / static_cast<std::int64_t>(sizeof(float)); }
};

/// All forms of one input.
class Activations {
 public:
  /// x: `rows` vectors of `cols`, or panels [cols][16], `stride` floats apart.
  Activations(const Pass& pass, const float* x, std::int64_t stride, std::int64_t rows, std::int64_t cols)
      : pass_(pass), x_(x), stride_(stride), num_rows_(rows), cols_(cols) {}

  /// Makes the form unless it is there.
  void want_vectors(const ActivationForm& form);
  void want_panels(const ActivationForm& form);
  /// One that was wanted.
  const ActivationRows& find(const ActivationForm& form) const;

 private:
  static constexpr std::size_t kMaxForms = 8;
  bool has(const ActivationForm& form) const;
  template <class Make>
  void make(const ActivationForm& form, std::int64_t bytes, const Make& make_row);

  const Pass& pass_;
  const float* x_;
  std::int64_t stride_, num_rows_, cols_;
  std::array<ActivationRows, kMaxForms> forms_;
  std::size_t count_ = 0;
};

}  // namespace xlstm::backend
