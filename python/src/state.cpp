#include "python/src/state.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/src/arguments.h"
#include "python/src/arrays.h"
#include "xlstm/base/error.h"

namespace xlstm::python {

const engine::Session& State::session() const {
  if (!session_) {
    fail(ErrorCode::invalid_argument, "state", "expected a state but this one was donated to an earlier call");
  }
  return *session_;
}

engine::Session State::take(const Host& host, bool donate) {
  const engine::Session& mine = session();
  if (host_.get() != &host) {
    fail(ErrorCode::invalid_argument, "state",
         "expected a state of this engine but got one of another; save() it there and load_state() it here");
  }
  if (!donate) return mine.fork();
  engine::Session taken = std::move(*session_);
  session_.reset();
  return taken;
}

namespace {

nb::object logits_of(const State& state) {
  const std::vector<float>& logits = state.session().logits();
  return logits.empty() ? nb::none() : to_numpy(logits);
}

void save(const State& state, nb::handle path, std::optional<int> zstd_level) {
  wait(state.host()->call([fork = state.session().fork(), file = read_path("path", path),
                           zstd_level](engine::Engine& engine) { engine.save(fork, file, {zstd_level}); }));
}

nb::dict tensors_of(const State& state) {
  auto values = wait(state.host()->call(
      [fork = state.session().fork()](engine::Engine& engine) { return engine.state_tensors(fork); }));
  nb::dict tensors;
  for (engine::StateTensorValue& value : values) {
    const std::vector<std::size_t> shape(value.shape.begin(), value.shape.end());
    tensors[value.name.c_str()] = to_numpy(std::move(value.values), shape);
  }
  return tensors;
}

std::string repr(const State& state) {
  if (state.session().ids().empty()) return "<xlstm_cpp.State: fresh>";
  return "<xlstm_cpp.State: " + std::to_string(state.session().ids().size()) + " tokens read>";
}

}  // namespace

void bind_state(nb::module_& module) {
  nb::class_<State>(
      module, "State",
      "What a model remembers of the tokens it has read: a value of a fixed size. No call changes it, except that\n"
      "one it is donated to takes it away; it is of use to the engine that made it alone (save() and\n"
      "load_state() carry it to another).")
      .def_prop_ro(
          "nbytes", [](const State& state) { return state.host()->service()->engine().state_nbytes(); },
          "Bytes of the state in the dtype it is kept in, whatever number of tokens it has read.")
      .def_prop_ro(
          "tokens", [](const State& state) { return state.session().ids(); }, "Ids that it has read, oldest first.")
      .def_prop_ro(
          "num_tokens", [](const State& state) { return state.session().ids().size(); }, "How many these are.")
      .def_prop_ro("logits", logits_of, nb::sig("def logits(self) -> numpy.ndarray | None"),
                   "Logits after the last id: float32 [vocab_size], a copy; None when nothing was read.")
      .def_prop_ro(
          "aligned", [](const State& state) { return state.session().aligned(); },
          "Whether state and logits have the bits that one prefill of all tokens gives.")
      .def(
          "fork", [](const State& state) { return State(state.host(), state.session().fork()); },
          "A second State of the same value, in O(1): whoever reads a token first makes the copy.")
      .def("save", save, nb::arg("path"), nb::kw_only(), nb::arg("zstd_level") = nb::none(),
           nb::sig("def save(self, path: str | os.PathLike[str], *, zstd_level: int | None = None) -> None"),
           "Writes a state file, whole or not at all; zstd_level 1 to 19 compresses it, None does not.\n"
           "Errors: InternalError (NaN in it), NotFoundError, InvalidArgumentError (the level).")
      .def("tensors", tensors_of, nb::sig("def tensors(self) -> dict[str, numpy.ndarray]"),
           "Copies of its tensors by name, float32 in the shapes of the reference implementation.")
      .def("__repr__", repr);
}

}  // namespace xlstm::python
