#include "xlstm/engine/arithmetic.h"

namespace xlstm::engine {

DType activation_dtype(const Engine&) { return DType::float32; }

DType state_dtype(const Engine&) { return DType::float32; }

}  // namespace xlstm::engine
