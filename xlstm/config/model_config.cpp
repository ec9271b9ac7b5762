#include "xlstm/config/model_config.h"

#include <array>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::config {
namespace {

// The first name of a value is the one it is printed with.
constexpr std::array<std::pair<std::string_view, Activation>, 9> kActivations = {{{"gelu", Activation::gelu},
                                                                                  {"relu", Activation::relu},
                                                                                  {"relu^2", Activation::relu_squared},
                                                                                  {"silu", Activation::silu},
                                                                                  {"swish", Activation::silu},
                                                                                  {"selu", Activation::selu},
                                                                                  {"tanh", Activation::tanh},
                                                                                  {"sigmoid", Activation::sigmoid},
                                                                                  {"identity", Activation::identity}}};

}  // namespace

std::string_view architecture_name(Architecture architecture) noexcept {
  return architecture == Architecture::large ? "xLSTM-large" : "xLSTM block stack";
}

std::string_view block_kind_name(BlockKind kind) noexcept { return kind == BlockKind::mlstm ? "mLSTM" : "sLSTM"; }

std::string_view activation_name(Activation activation) noexcept {
  for (const auto& [name, value] : kActivations) {
    if (value == activation) return name;
  }
  return "?";
}

Activation activation_from_name(std::string_view name) {
  for (const auto& [known, value] : kActivations) {
    if (known == name) return value;
  }
  fail(ErrorCode::unsupported, "act_fn",
       "expected gelu, relu, relu^2, silu, swish, selu, tanh, sigmoid or identity but got \"", name, "\"");
}

}  // namespace xlstm::config
