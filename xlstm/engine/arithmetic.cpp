#include "xlstm/engine/arithmetic.h"

namespace xlstm::engine {

std::string activation_dtype(Engine& engine) { return engine.backend().activation_dtype(); }

DType state_dtype(const Engine&) { return DType::float32; }

}  // namespace xlstm::engine
