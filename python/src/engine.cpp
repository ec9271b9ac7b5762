#include "python/src/engine.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/src/arguments.h"
#include "python/src/errors.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/machine.h"

namespace xlstm::python {
namespace {

constexpr int kMostThreads = 4096;
constexpr std::int64_t kMost = std::int64_t{1} << 62;

template <class Integer>
Integer checked_integer(const std::string& name, nb::handle value, std::int64_t least, std::int64_t most) {
  const std::int64_t read = read_integer(name, value);
  if (read < least || read > most) {
    fail(ErrorCode::invalid_argument, name, "expected an integer from ", least, " to ", most, " but got ", read);
  }
  return static_cast<Integer>(read);
}

std::string checked_choice(const std::string& name, nb::handle value, const char* a, const char* b) {
  const std::string read = read_text(name, value);
  if (read == a || read == b) return read;
  fail(ErrorCode::invalid_argument, name, "expected \"", a, "\" or \"", b, "\" but got \"", read, "\"");
}

/// Takes keys out of a dict; whoever has taken all refuses what is left.
class Keywords {
 public:
  explicit Keywords(const nb::dict& given) : left_(nb::borrow<nb::dict>(given.attr("copy")())) {}
  template <class Read>
  void take(const char* name, Read read) {
    if (!left_.contains(name)) return;
    const nb::object value = left_.attr("pop")(name);
    if (!value.is_none()) read(std::string(name), nb::handle(value));
  }
  void refuse_rest() const {
    for (const auto& [name, value] : left_) {
      throw nb::type_error(("unexpected keyword argument '" + nb::cast<std::string>(name) + "'").c_str());
    }
  }

 private:
  nb::dict left_;
};

engine::LoadOptions read_load_options(const nb::object& path, Keywords& keywords) {
  engine::LoadOptions options;
  if (!path.is_none()) {
    options.model = read_path("path", path);
    if (options.model.empty()) fail(ErrorCode::invalid_argument, "path", "expected a directory but got an empty name");
  }
  keywords.take("backend", [&](auto name, auto value) { options.backend = read_text(name, value); });
  keywords.take("threads", [&](auto name, auto value) {
    options.num_threads = checked_integer<int>(name, value, 0, kMostThreads);
  });
  keywords.take("activation_dtype",
                [&](auto name, auto value) { options.activation_dtype = dtype_from_name(read_text(name, value)); });
  keywords.take("state_dtype",
                [&](auto name, auto value) { options.state_dtype = dtype_from_name(read_text(name, value)); });
  keywords.take("weights", [&](auto name, auto value) {
    options.copy_weights = checked_choice(name, value, "map", "copy") == "copy";
  });
  keywords.take("batch_invariant", [&](auto name, auto value) { options.batch_invariant = read_bool(name, value); });
  keywords.take("check_weights", [&](auto name, auto value) { options.check_weights = read_bool(name, value); });
  keywords.take("chat_template", [&](auto name, auto value) { options.chat_template = read_text(name, value); });
  return options;
}

engine::ServiceOptions read_service_options(Keywords& keywords) {
  engine::ServiceOptions options;
  const auto size = [&](const char* key, std::size_t& out, std::int64_t least, std::int64_t most = kMost) {
    keywords.take(key, [&](auto name, auto value) { out = checked_integer<std::size_t>(name, value, least, most); });
  };
  size("max_running", options.scheduler.max_rows, 1, 1024);
  size("prefill_step_size", options.scheduler.prefill_step_size, 1, 1 << 20);
  size("time_slice", options.scheduler.time_slice, 1);
  size("max_queued", options.scheduler.max_waiting, 1);
  size("max_state_bytes", options.scheduler.max_state_bytes, 0);
  size("max_cache_bytes", options.scheduler.max_cache_bytes, 0);
  size("state_cache_bytes", options.state_cache_bytes, 0);
  keywords.take("prefix_cache", [&](auto name, auto value) { options.prefix_cache = read_bool(name, value); });
  keywords.take("state_cache", [&](auto name, auto value) { options.state_cache = read_path(name, value); });
  keywords.take("prefill_workers",
                [&](auto name, auto value) { options.prefill_workers = checked_integer<int>(name, value, 0, 64); });
  keywords.take("prefill_threads", [&](auto name, auto value) {
    options.prefill_threads = checked_integer<int>(name, value, 0, kMostThreads);
  });
  return options;
}

std::shared_ptr<Host> start(const nb::object& path, const nb::object& synthetic, bool many, const nb::dict& given) {
  Keywords keywords(given);
  nb::object progress = nb::none();
  keywords.take("progress", [&](const std::string& name, nb::handle value) {
    if (PyCallable_Check(value.ptr()) == 0) refuse_type(name, "a callable", value);
    progress = nb::borrow(value);
  });
  const engine::LoadOptions options = read_load_options(path, keywords);
  engine::ServiceOptions service_options;
  service_options.prefix_cache = many;  // a model keeps nothing behind its caller's back
  if (many) service_options = read_service_options(keywords);
  std::string shape, format = "bfloat16";
  std::uint64_t seed = 0;
  if (!synthetic.is_none()) {
    shape = read_text("name", synthetic);
    keywords.take("dtype", [&](auto name, auto value) { format = read_text(name, value); });
    keywords.take("seed", [&](auto name, auto value) { seed = read_unsigned(name, value); });
  }
  keywords.refuse_rest();
  engine::check_machine();
  const auto load = [=](const engine::LoadOptions& with) {
    return shape.empty() ? engine::Engine::load(with)
                         : engine::Engine::synthetic(shape, model::synthetic_format(format), seed, with);
  };
  return Host::start(load, options, service_options, progress);
}

const engine::Engine& engine_of(const Host& host) { return host.service()->engine(); }

nb::dict info(const Host& host) {
  const engine::Engine& engine = engine_of(host);
  const model::Model& model = engine.model();
  const config::ModelConfig& config = model.config;
  nb::dict info;
  info["source"] = engine.source();
  info["architecture"] = nb::str(std::string(config::architecture_name(config.architecture)).c_str());
  info["layout"] = config.layout;
  info["vocab_size"] = config.vocab_size;
  info["embedding_dim"] = config.embedding_dim;
  info["num_blocks"] = config.num_blocks;
  info["num_heads"] = config.num_heads;
  info["qk_dim"] = config.qk_dim;
  info["v_dim"] = config.v_dim;
  info["ffn_dim"] = config.ffn_dim;
  info["num_parameters"] = model.num_parameters;
  info["weight_bytes"] = model.weight_bytes;
  info["weights"] = model.weight_kinds.front().name();
  info["state_nbytes"] = engine.state_nbytes();
  info["backend"] = host.facts().backend;
  info["threads"] = host.facts().num_threads;
  info["activation_dtype"] = host.facts().activation_dtype;
  info["state_dtype"] = host.facts().state_dtype;
  info["arithmetic"] = host.facts().arithmetic;
  info["prefill_segment"] = host.facts().segment;
  return info;
}

}  // namespace

EngineClass bind_engine(nb::module_& module) {
  module.def("backend_names", &backend::backend_names, "Names of the backends in this build.");
  EngineClass engine(module, "Engine", nb::is_weak_referenceable(), "One loaded model on a thread of its own.");
  engine
      .def_static("start", start, nb::arg("path").none(), nb::arg("synthetic").none(), nb::arg("many"),
                  nb::arg("options"), "Loads a checkpoint, or makes a random model of the named shape.")
      .def("close", &Host::close, "Cancels what is left and ends the thread.")
      .def_prop_ro("is_open", &Host::is_open, "Whether close() was not called yet.")
      .def_prop_ro("wakes", &Host::wakes, "Which handles have news for an event loop.")
      .def("info", info, nb::sig("def info(self) -> dict[str, int | str]"), "Sizes, dtypes and arithmetic.")
      .def_prop_ro(
          "source", [](const Host& host) { return engine_of(host).source(); },
          "Where the model came from: a path, \"embedded\" or \"synthetic NAME\".")
      .def_prop_ro(
          "vocab_size", [](const Host& host) { return engine_of(host).model().config.vocab_size; },
          "Logits of a position.")
      .def_prop_ro(
          "state_nbytes", [](const Host& host) { return engine_of(host).state_nbytes(); },
          "Bytes of one sequence's state.")
      .def(
          "model_hash",
          [](const Host& host) { return wait(host.call([](engine::Engine& of) { return of.model_hash(); })); },
          "32 hex digits over config and every weight; the first call reads all weights.");
  return engine;
}

}  // namespace xlstm::python
