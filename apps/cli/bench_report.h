// What `xlstm bench` prints: rows of named figures, as JSON, as CSV and as tables for people.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/engine/bench.h"
#include "xlstm/engine/bench_positions.h"
#include "xlstm/engine/bench_requests.h"

namespace xlstm::cli {

/// Name -> number or text; null: not measured.
using BenchRow = nlohmann::ordered_json;

/// Model, types, machine and program: the beginning of every row.
BenchRow subject_row(engine::Engine& engine);
/// One measurement.
BenchRow run_row(engine::Engine& engine, const engine::BenchOptions& options, const engine::BenchResult& result);
/// An operation a row, prefill before decode; without the subject.
std::vector<BenchRow> profile_rows(const engine::BenchResult& result);
/// A position.
BenchRow position_row(engine::Engine& engine, const engine::PositionsOptions& options,
                      const engine::PositionResult& result);

/// Requests through the scheduler; without the subject.
BenchRow requests_row(const engine::RequestsOptions& options, const engine::RequestsResult& result);

/// For people.
std::string run_text(engine::Engine& engine, const engine::BenchOptions& options, const engine::BenchResult& result);
std::string profile_text(std::string_view phase, const std::vector<engine::ProfileRow>& rows);
/// The head of a table of measurements, and a line of it.
std::string sweep_head();
std::string sweep_line(const BenchRow& row);
std::string requests_text(const engine::RequestsOptions& options, const engine::RequestsResult& result);
std::string positions_text(const std::vector<engine::PositionResult>& results);

/// A file of rows with the same names; each is in the file when add() returns. Errors: not_found, with the system's
/// reason.
class CsvFile {
 public:
  explicit CsvFile(const std::filesystem::path& path);
  void add(const BenchRow& row);

 private:
  std::filesystem::path path_;
  std::ofstream file_;
  bool has_head_ = false;
};

}  // namespace xlstm::cli
