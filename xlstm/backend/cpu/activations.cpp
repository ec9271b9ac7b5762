#include "xlstm/backend/cpu/activations.h"

#include <algorithm>

#include "xlstm/backend/activation_dtype.h"
#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/amx_gemm.h"
#include "xlstm/kernels/cpu/bf16_gemm.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/gemv.h"
#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_ops.h"
#include "xlstm/kernels/cpu/quantized_gemm.h"

namespace xlstm::backend {
namespace {

using Kind = ActivationForm::Kind;

/// The part that decode and prefill share: everything but the kinds of float forms.
ActivationForm form_of(const Pass& pass, const model::Matrix& weights, bool exact) {
  const int bits = weights.groups ? weights.groups->bits : 0;
  const DType dtype = exact ? DType::float32 : activation_dtype(bits, pass.activation_dtype);
  ActivationForm form;
  form.rounded = dtype == DType::bfloat16;
  if (bits != 0 && (dtype == DType::int8 || dtype == DType::int16)) {
    form.kind = Kind::quantized;
    form.format = {dtype, bits, weights.groups->group_size};
  }
  return form;
}

constexpr std::int64_t float_bytes(std::int64_t count) { return count * static_cast<std::int64_t>(sizeof(float)); }

}  // namespace

ActivationForm vector_form(const Pass& pass, const model::Matrix& weights, bool exact) {
  ActivationForm form = form_of(pass, weights, exact);
  if (weights.weight.dtype == DType::bfloat16) form.kind = Kind::permuted;
  return form;
}

ActivationForm panel_form(const Pass& pass, const model::Matrix& weights, bool exact) {
  ActivationForm form = form_of(pass, weights, exact);
  if (weights.weight.dtype != DType::bfloat16) return form;
  const kernels::CpuExtensions cpu = kernels::cpu_extensions();
  if (form.rounded && (cpu.amx || cpu.avx512_bf16)) form.kind = Kind::bfloat16;
  if (!form.rounded && cpu.amx) form.kind = Kind::amx;
  return form;
}

bool Activations::has(const ActivationForm& form) const {
  return std::any_of(forms_.begin(), forms_.begin() + count_, [&](const auto& made) { return made.form == form; });
}

const ActivationRows& Activations::find(const ActivationForm& form) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (forms_[i].form == form) return forms_[i];
  }
  fail(ErrorCode::internal, "activations", "expected a form that was made");
}

// make_row(x, out) makes one row; `bytes`: its size, a multiple of 4.
template <class Make>
void Activations::make(const ActivationForm& form, std::int64_t bytes, const Make& make_row) {
  const std::int64_t stride = (bytes + 63) / 64 * 64;
  auto* const data = reinterpret_cast<std::byte*>(pass_.workspace.take(num_rows_ * stride / float_bytes(1)));
  pass_.pool.parallel_for(num_rows_, [&](std::int64_t row) { make_row(x_ + row * stride_, data + row * stride); });
  forms_.at(count_++) = {form, data, stride};
}

void Activations::want_vectors(const ActivationForm& form) {
  if (has(form)) return;
  if (form.kind == Kind::quantized) {
    return make(form, kernels::quantized_vector_bytes(form.format, cols_),
                [&](const float* x, std::byte* out) { kernels::quantize_vector(form.format, x, cols_, out); });
  }
  if (form == ActivationForm{}) {
    forms_.at(count_++) = {form, reinterpret_cast<const std::byte*>(x_), float_bytes(stride_)};
    return;
  }
  const bool permuted = form.kind == Kind::permuted;
  make(form, float_bytes(cols_), [&](const float* x, std::byte* out) {
    auto* const to = reinterpret_cast<float*>(out);
    kernels::gemv_prepare(permuted ? DType::bfloat16 : DType::float32, x, cols_, to);
    if (form.rounded) kernels::round_to_bfloat16_in_place(to, cols_);
  });
}

void Activations::want_panels(const ActivationForm& form) {
  if (has(form)) return;
  const std::int64_t size = cols_ * kernels::kPanelWidth;
  switch (form.kind) {
    case Kind::quantized:
      return make(form, kernels::quantized_panel_bytes(form.format, cols_),
                  [&](const float* x, std::byte* out) { kernels::quantize_panel(form.format, x, cols_, out); });
    case Kind::amx: {
      const auto bytes = kernels::amx_panel_size(cols_) * static_cast<std::int64_t>(sizeof(std::uint16_t));
      return make(form, bytes, [&](const float* x, std::byte* out) {
        kernels::amx_split_panel(x, cols_, reinterpret_cast<std::uint16_t*>(out));
      });
    }
    case Kind::bfloat16: {
      const auto bytes = kernels::bf16_panel_size(cols_) * static_cast<std::int64_t>(sizeof(std::uint16_t));
      return make(form, bytes, [&](const float* x, std::byte* out) {
        kernels::bf16_round_panel(x, cols_, reinterpret_cast<std::uint16_t*>(out));
      });
    }
    default:
      break;
  }
  if (!form.rounded) {
    forms_.at(count_++) = {form, reinterpret_cast<const std::byte*>(x_), float_bytes(stride_)};
    return;
  }
  make(form, float_bytes(size), [&](const float* x, std::byte* out) {
    auto* const to = reinterpret_cast<float*>(out);
    std::copy_n(x, size, to);
    kernels::round_to_bfloat16_in_place(to, size);
  });
}

}  // namespace xlstm::backend
