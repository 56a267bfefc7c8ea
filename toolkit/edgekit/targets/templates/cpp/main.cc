// Tests the model of this folder against its golden samples, or classifies an image.
//
//   program FOLDER              replays the golden samples; exit status 1 where an output is too far off
//   program FOLDER IMAGE.ppm    prints what the outputs say of an image

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <type_traits>

#include "bundle.h"
#include "image.h"
#include "model.h"

namespace {

const File& file_of_this_runtime() {
  for (const File& file : bundle::files()) {
    const std::string suffix = kSuffix;
    if (file.file.size() > suffix.size() && file.file.compare(file.file.size() - suffix.size(), suffix.size(), suffix) == 0) return file;
  }
  throw std::runtime_error(std::string("this folder has no ") + kSuffix + " file");
}

Tensor golden_array(const std::vector<std::uint8_t>& content, const Golden& golden) {
  Tensor tensor(golden.type, golden.shape);
  if (golden.offset + tensor.bytes.size() > content.size()) throw std::runtime_error("golden.bin is cut short");
  std::memcpy(tensor.bytes.data(), content.data() + golden.offset, tensor.bytes.size());
  return tensor;
}

std::vector<double> real(const Tensor& tensor) {
  return with_type(tensor.type, [&](auto* of) {
    using Of = std::remove_pointer_t<decltype(of)>;
    return std::vector<double>(tensor.data<Of>(), tensor.data<Of>() + tensor.values());
  });
}

bool self_test(const std::string& folder, Model& model) {
  const auto& inputs = bundle::golden_inputs();
  if (inputs.empty()) throw std::runtime_error("this folder has no golden samples");
  std::ifstream stream(folder + "/golden.bin", std::ios::binary);
  const std::vector<std::uint8_t> content((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  std::vector<Tensor> samples;
  for (const End& end : model.file().inputs) {
    for (const Golden& golden : inputs) if (golden.name == end.name) samples.push_back(golden_array(content, golden));
  }
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Tensor> outputs = model.run(samples);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  bool passed = true;
  for (std::size_t i = 0; i < outputs.size(); i++) {
    for (const Golden& golden : model.file().golden) {
      if (golden.name != model.file().outputs[i].name) continue;
      const std::vector<double> got = real(outputs[i]), wanted = real(golden_array(content, golden));
      std::size_t identical = 0;
      double largest = got.size() == wanted.size() ? 0 : INFINITY;
      for (std::size_t v = 0; v < std::min(got.size(), wanted.size()); v++) {
        const bool same = got[v] == wanted[v] || (std::isnan(got[v]) && std::isnan(wanted[v]));
        identical += same;
        const double by = std::abs(got[v] - wanted[v]);
        if (!same) largest = std::max(largest, std::isnan(by) ? INFINITY : by);
      }
      const bool good = largest <= golden.tolerance;
      passed = passed && good;
      std::printf("%s: %s %s: %zu of %zu values identical, largest difference %g, %g is allowed\n", good ? "pass" : "FAIL",
                  model.file().file.c_str(), golden.name.c_str(), identical, wanted.size(), largest, golden.tolerance);
    }
  }
  std::printf("%.3f ms a sample\n", took.count() / static_cast<double>(samples.at(0).shape.at(0)));
  return passed;
}

void print_answer(const Tensor& output, const End& end) {
  std::vector<double> values = real(output);
  int shown = 0;
  for (const Meaning& meaning : bundle::meanings()) {
    if (meaning.output != end.name) continue;
    if (meaning.kind == "sigmoid") for (double& value : values) value = 1 / (1 + std::exp(-value));
    if (meaning.kind == "softmax") {
      const double highest = *std::max_element(values.begin(), values.end());
      double sum = 0;
      for (double& value : values) sum += value = std::exp(value - highest);
      for (double& value : values) value /= sum;
    }
    shown = output.shape.size() <= 2 && values.size() > 1 ? meaning.top_k : 0;
  }
  std::printf("%s:\n", end.name.c_str());
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  if (shown) std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] > values[b]; });
  for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), shown ? shown : 12); i++) {
    const auto& labels = bundle::labels();
    const std::string name = shown && order[i] < labels.size() ? labels[order[i]] : std::to_string(order[i]);
    std::printf("  %-20s %.4g\n", name.c_str(), values[order[i]]);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2 || count > 3) {
    std::fprintf(stderr, "usage: %s FOLDER [IMAGE.ppm]\n", arguments[0]);
    return 2;
  }
  try {
    const std::string folder = arguments[1];
    Model model(folder, file_of_this_runtime());
    if (count == 2) return self_test(folder, model) ? 0 : 1;
    if (bundle::images().empty()) throw std::runtime_error("this model takes numbers, not an image: see Model::run in model.h");
    const std::vector<Tensor> outputs = model.run({preprocess(read_ppm(arguments[2]), bundle::images().front())});
    for (std::size_t i = 0; i < outputs.size(); i++) print_answer(outputs[i], model.file().outputs[i]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
