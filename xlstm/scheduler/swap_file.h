// A state out of memory in a file without a name: whatever ends the process, nothing is left of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "xlstm/scheduler/background.h"
#include "xlstm/scheduler/snapshot_store.h"

namespace xlstm::scheduler {

/// Its values on the way out, in the file, and back. One read() at most. `background` must outlive it.
class SwapFile final : public SwappedState {
 public:
  using Values = std::function<std::vector<float>()>;
  /// written: called on the other thread when the values are no longer in memory.
  SwapFile(Background& background, const std::filesystem::path& directory, Values values, std::function<void()> written,
           std::function<void()> gone);
  ~SwapFile() override;
  std::future<std::vector<float>> read() override;

 private:
  struct Content;
  Background& background_;
  std::shared_ptr<Content> content_;
};

}  // namespace xlstm::scheduler
