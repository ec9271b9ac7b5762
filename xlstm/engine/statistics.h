// What is told of repeated measurements.
#pragma once

#include <vector>

namespace xlstm::engine {

/// The middle one, or the mean of the two in the middle; 0 of nothing.
double median(std::vector<double> values);
/// 0 of nothing.
double largest(const std::vector<double>& values);
double smallest(const std::vector<double>& values);
double total(const std::vector<double>& values);
/// a / b; 0 when there is nothing to divide by.
double ratio(double a, double b);

}  // namespace xlstm::engine
