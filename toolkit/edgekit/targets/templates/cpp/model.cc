#include "model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace {

// What the file takes of real numbers: rounded to the nearest, ties to even, as the runtimes quantize.
Tensor to_file(const Tensor& real, const End& end) {
  if (end.scale == 0 && real.type == end.type) return real;
  Tensor made(end.type, real.shape);
  with_type(real.type, [&](auto* from) {
    using From = std::remove_pointer_t<decltype(from)>;
    with_type(end.type, [&](auto* to) {
      using To = std::remove_pointer_t<decltype(to)>;
      for (std::size_t i = 0; i < real.values(); i++) {
        const From value = real.data<From>()[i];
        if (end.scale == 0) {
          made.data<To>()[i] = static_cast<To>(value);
          continue;
        }
        const double scaled = std::nearbyint(static_cast<float>(value) / end.scale) + end.zero_point;
        const double low = static_cast<double>(std::numeric_limits<To>::lowest());
        const double high = static_cast<double>(std::numeric_limits<To>::max());
        made.data<To>()[i] = static_cast<To>(std::clamp(scaled, low, high));
      }
    });
  });
  return made;
}

Tensor to_real(const Tensor& integers, const End& end) {
  if (end.scale == 0) return integers;
  Tensor made(Type::float32, integers.shape);
  with_type(integers.type, [&](auto* from) {
    using From = std::remove_pointer_t<decltype(from)>;
    for (std::size_t i = 0; i < integers.values(); i++) {
      made.data<float>()[i] = (static_cast<float>(integers.data<From>()[i]) - static_cast<float>(end.zero_point)) * end.scale;
    }
  });
  return made;
}

// So many samples from the first on; the last again where there are not enough.
Tensor rows(const Tensor& samples, std::size_t first, std::size_t size) {
  Shape shape = samples.shape;
  const std::size_t there = static_cast<std::size_t>(shape.at(0));
  shape[0] = static_cast<std::int64_t>(size);
  Tensor part(samples.type, shape);
  const std::size_t bytes = samples.bytes.size() / there;
  for (std::size_t i = 0; i < size; i++) {
    const std::size_t row = std::min(first + i, there - 1);
    std::memcpy(part.bytes.data() + i * bytes, samples.bytes.data() + row * bytes, bytes);
  }
  return part;
}

}  // namespace

Model::Model(const std::string& folder, const File& file, int threads)
    : file_(file), runtime_(open_runtime(folder + "/" + file.file, file, threads)) {}

std::vector<Tensor> Model::run(const std::vector<Tensor>& samples) {
  if (samples.size() != file_.inputs.size()) throw std::runtime_error(file_.file + " has another number of inputs");
  const std::size_t total = static_cast<std::size_t>(samples.at(0).shape.at(0));
  const std::int64_t fixed = file_.inputs[0].shape.at(0);
  const std::size_t size = fixed > 0 ? static_cast<std::size_t>(fixed) : total;
  std::vector<Tensor> outputs(file_.outputs.size());
  for (std::size_t first = 0; first < total; first += size) {
    std::vector<Tensor> given;
    for (std::size_t i = 0; i < samples.size(); i++) given.push_back(to_file(rows(samples[i], first, size), file_.inputs[i]));
    const std::vector<Tensor> got = runtime_->run(given);
    const std::size_t kept = std::min(size, total - first);
    for (std::size_t i = 0; i < got.size(); i++) {
      const Tensor real = rows(to_real(got[i], file_.outputs[i]), 0, kept);
      outputs[i].type = real.type;
      outputs[i].shape = real.shape;
      outputs[i].bytes.insert(outputs[i].bytes.end(), real.bytes.begin(), real.bytes.end());
    }
  }
  for (Tensor& output : outputs) output.shape[0] = static_cast<std::int64_t>(total);
  return outputs;
}
