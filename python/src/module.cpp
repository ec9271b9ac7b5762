// The module xlstm_cpp._core: what the Python files of the package are made of.
#include <nanobind/nanobind.h>

#include "python/src/completion.h"
#include "python/src/engine.h"
#include "python/src/errors.h"
#include "python/src/handle.h"
#include "python/src/state.h"

NB_MODULE(_core, module) {
  using namespace xlstm::python;
  module.doc() = "The C++ side of xlstm_cpp; use the package.";
  register_errors();
  bind_state(module);
  bind_completion(module);
  bind_handle(module);
  EngineClass engine = bind_engine(module);
  bind_text(engine);
  bind_model(engine);
  bind_service(module, engine);
}
