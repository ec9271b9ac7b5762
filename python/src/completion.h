// What came of a request, as Python sees it.
#pragma once

#include <memory>
#include <utility>

#include "python/src/state.h"
#include "python/src/ticket.h"

namespace xlstm::python {

/// One text of an ended request.
class Completion {
 public:
  Completion(std::shared_ptr<Host> host, std::shared_ptr<Ended> ended, std::size_t index)
      : host_(std::move(host)), ended_(std::move(ended)), index_(index) {}

  const Ended& ended() const noexcept { return *ended_; }
  const Answer& answer() const { return ended_->answers.at(index_); }
  std::size_t index() const noexcept { return index_; }
  const std::shared_ptr<Host>& host() const noexcept { return host_; }
  const std::shared_ptr<Ended>& shared() const noexcept { return ended_; }
  /// After the whole text; the first call makes the step for the last id. None: it was not kept.
  std::optional<State> state() const;

 private:
  std::shared_ptr<Host> host_;  // longer than the sessions in `ended_`
  std::shared_ptr<Ended> ended_;
  std::size_t index_;
};

void bind_completion(nb::module_& module);

}  // namespace xlstm::python
