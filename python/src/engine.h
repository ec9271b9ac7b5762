// The class Engine of the module: what xlstm_cpp.Model and xlstm_cpp.Service are made of.
#pragma once

#include <memory>

#include "python/src/host.h"

namespace xlstm::python {

using EngineClass = nb::class_<Host>;

/// Loading, closing, and what does not change.
EngineClass bind_engine(nb::module_& module);
void bind_model(EngineClass& engine);
void bind_service(nb::module_& module, EngineClass& engine);
void bind_text(EngineClass& engine);

}  // namespace xlstm::python
