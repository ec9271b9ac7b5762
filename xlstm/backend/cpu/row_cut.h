// How the threads of a pool share the rows of several products in prefill.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "xlstm/backend/cpu/projections.h"

namespace xlstm::backend {

/// Cuts the rows of several projections into parts of whole tiles. A thread's parts follow each other; together they
/// are its share of every projection, so that no weight is unpacked twice and no thread waits for another.
class RowCut {
 public:
  RowCut(int num_threads, std::int64_t tile_rows) : threads_(num_threads), tile_rows_(tile_rows) {}

  /// A projection of `rows`, at most max_rows of them in a part. REQUIRES: max_rows is a multiple of tile_rows.
  void add(std::int64_t rows, std::int64_t max_rows) {
    const std::int64_t per_share = threads_ * max_rows;
    rows_.at(count_) = rows;
    parts_[count_] = std::min(tiles(count_), (rows + per_share - 1) / per_share * threads_);
    equal_shares_ = equal_shares_ && (tiles(count_) == 1 || parts_[count_] % threads_ == 0);
    total_ += parts_[count_++];
  }

  std::int64_t total() const { return total_; }

  /// No thread has more to do than another, but for a tile of each projection.
  bool equal_shares() const { return equal_shares_; }

  struct Part {
    std::size_t projection;
    std::int64_t begin, end;  // rows
  };

  /// REQUIRES: index < total().
  Part at(std::int64_t index) const {
    for (std::int64_t thread = 0;; ++thread) {
      for (std::size_t i = 0; i < count_; ++i) {
        const std::int64_t first = thread * parts_[i] / threads_, last = (thread + 1) * parts_[i] / threads_;
        if (index < last - first) return {i, row_of(i, first + index), row_of(i, first + index + 1)};
        index -= last - first;
      }
    }
  }

 private:
  std::int64_t tiles(std::size_t i) const { return (rows_[i] + tile_rows_ - 1) / tile_rows_; }
  std::int64_t row_of(std::size_t i, std::int64_t part) const {
    return std::min(rows_[i], part * tiles(i) / parts_[i] * tile_rows_);
  }

  std::array<std::int64_t, kMaxProjections> rows_{}, parts_{};
  std::size_t count_ = 0;
  std::int64_t threads_, tile_rows_, total_ = 0;
  bool equal_shares_ = true;
};

}  // namespace xlstm::backend
