#include "python/src/handle.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>

#include "xlstm/base/error.h"

namespace xlstm::python {
namespace {

using Clock = std::chrono::steady_clock;

nb::object to_python(const Event& event) {
  if (const auto* progress = std::get_if<PrefillProgress>(&event)) {
    return nb::make_tuple(nb::none(), progress->done, progress->total);
  }
  const Piece& piece = std::get<Piece>(event);
  return nb::make_tuple(nb::str(piece.text.c_str(), piece.text.size()),
                        piece.id ? nb::object(nb::int_(*piece.id)) : nb::object(nb::none()), piece.sample);
}

}  // namespace

Handle::~Handle() {
  if (!ticket_) return;
  try {
    cancel();
  } catch (const std::exception&) {  // closed, or of another process: it has ended
  }
}

void Handle::cancel() const {
  ticket_->cancelled() = true;
  const engine::RequestId id = ticket_->id;
  if (id != 0 && !ticket_->ended()) host_->service()->cancel(id);
}

void Handle::wait_until(const std::function<bool()>& done, bool for_end, std::optional<double> timeout) const {
  const Clock::time_point start = Clock::now();
  while (!done()) {
    const double left = timeout ? *timeout - std::chrono::duration<double>(Clock::now() - start).count() : 1;
    if (left <= 0) {
      PyErr_SetString(PyExc_TimeoutError, "expected the request to go on in time but it did not");
      throw nb::python_error();
    }
    {
      const nb::gil_scoped_release unlocked;
      const auto rest = std::chrono::milliseconds(1 + static_cast<long>(std::min(left, 1.0) * 1e3));
      ticket_->wait(std::min(kPatience, rest), for_end);
    }
    check_signals();
  }
}

nb::object Handle::next_event(std::optional<double> timeout) const {
  std::optional<Event> event;
  wait_until(
      [&] {
        const bool ended = ticket_->ended();  // asked first: nothing is told after the end
        event = ticket_->take();
        return event || ended;
      },
      /*for_end=*/false, timeout);
  return event ? to_python(*event) : nb::none();
}

Completion Handle::result(std::optional<double> timeout) const {
  wait_until([&] { return ticket_->ended(); }, /*for_end=*/true, timeout);
  std::shared_ptr<Ended> ended = ticket_->outcome();
  if (ended->error) std::rethrow_exception(ended->error);
  if (ended->answers.empty()) {
    fail(ErrorCode::cancelled, "request", "expected a text but it was cancelled or drained before its prompt was read");
  }
  return Completion(host_, std::move(ended), 0);
}

void bind_handle(nb::module_& module) {
  nb::class_<Wakes>(module, "Wakes", "Which handles have news for an event loop.")
      .def(
          "take",
          [](Wakes& wakes) {
            const nb::gil_scoped_release unlocked;
            return wakes.take();
          },
          "Waits for keys that were armed; None: the engine was closed.");
  nb::class_<Handle>(module, "Handle", "A request on its way; letting it go cancels it.")
      .def_prop_ro(
          "id", [](const Handle& handle) { return handle.ticket()->id.load(); },
          "Number of a service's request; 0 of a model's.")
      .def_prop_ro(
          "done", [](const Handle& handle) { return handle.ticket()->ended(); }, "Whether it has ended.")
      .def("cancel", &Handle::cancel, "Ends it within a step.")
      .def("next_event", &Handle::next_event, nb::arg("timeout") = nb::none(),
           nb::sig("def next_event(self, timeout: float | None = None) -> tuple[str | None, int | None, int] | None"),
           "(text, id or None, sample) or (None, done, total) of the prompt; None at the end. Errors: TimeoutError.")
      .def("result", &Handle::result, nb::arg("timeout") = nb::none(),
           "Waits for the end, at most timeout seconds. Errors: TimeoutError, the request's own, CancelledError.")
      .def(
          "arm", [](const Handle& handle, std::uint64_t key) { return handle.ticket()->arm(key); }, nb::arg("key"),
          "True: there is news. Else the next news gives key to the Wakes.");
}

}  // namespace xlstm::python
