// A ticket as Python holds it.
#pragma once

#include <functional>
#include <memory>

#include "python/src/completion.h"
#include "python/src/ticket.h"

namespace xlstm::python {

/// Letting it go cancels the request: nobody can see what comes of it.
class Handle {
 public:
  Handle(std::shared_ptr<Host> host, std::shared_ptr<Ticket> ticket)
      : host_(std::move(host)), ticket_(std::move(ticket)) {}
  Handle(Handle&&) = default;
  ~Handle();

  const std::shared_ptr<Ticket>& ticket() const noexcept { return ticket_; }
  /// Within a step. Of no effect on one that has ended.
  void cancel() const;
  /// (text, id or None, sample), (None, done, total) of the prompt, in order; None: it has ended. Errors: TimeoutError.
  nb::object next_event(std::optional<double> timeout) const;
  /// Waits for the end. Errors: TimeoutError; the request's own; CancelledError when it ended before there was a text.
  Completion result(std::optional<double> timeout) const;

 private:
  /// Without the GIL, for an event or the end, or for the end alone; looks for signals meanwhile.
  void wait_until(const std::function<bool()>& done, bool for_end, std::optional<double> timeout) const;

  std::shared_ptr<Host> host_;
  std::shared_ptr<Ticket> ticket_;
};

void bind_handle(nb::module_& module);

}  // namespace xlstm::python
