// Arrays with their types and shapes, and what is known of a model file and of its golden samples.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

enum class Type { float32, float64, int8, uint8, int16, uint16, int32, uint32, int64, uint64, boolean };

inline std::size_t size_of(Type type) {
  switch (type) {
    case Type::int8: case Type::uint8: case Type::boolean: return 1;
    case Type::int16: case Type::uint16: return 2;
    case Type::float32: case Type::int32: case Type::uint32: return 4;
    default: return 8;
  }
}

using Shape = std::vector<std::int64_t>;

inline std::size_t count(const Shape& shape) {
  std::size_t product = 1;
  for (std::int64_t n : shape) product *= static_cast<std::size_t>(n);
  return product;
}

struct Tensor {
  Type type;
  Shape shape;
  std::vector<std::uint8_t> bytes;

  Tensor() : type(Type::float32) {}
  Tensor(Type of, Shape sizes) : type(of), shape(std::move(sizes)), bytes(count(shape) * size_of(of)) {}
  template <typename T> T* data() { return reinterpret_cast<T*>(bytes.data()); }
  template <typename T> const T* data() const { return reinterpret_cast<const T*>(bytes.data()); }
  std::size_t values() const { return count(shape); }
};

// Calls f with a null pointer of the C++ type.
template <typename F> auto with_type(Type type, F f) {
  switch (type) {
    case Type::float32: return f(static_cast<float*>(nullptr));
    case Type::float64: return f(static_cast<double*>(nullptr));
    case Type::int8: return f(static_cast<std::int8_t*>(nullptr));
    case Type::uint8: case Type::boolean: return f(static_cast<std::uint8_t*>(nullptr));
    case Type::int16: return f(static_cast<std::int16_t*>(nullptr));
    case Type::uint16: return f(static_cast<std::uint16_t*>(nullptr));
    case Type::int32: return f(static_cast<std::int32_t*>(nullptr));
    case Type::uint32: return f(static_cast<std::uint32_t*>(nullptr));
    case Type::int64: return f(static_cast<std::int64_t*>(nullptr));
    default: return f(static_cast<std::uint64_t*>(nullptr));
  }
}

// An input or an output; where `scale` is not 0 the file holds integers: value = scale * (integer - zero_point).
struct End {
  std::string name;
  Type type;
  Shape shape;  // the batch first; -1 where any size goes
  float scale;
  int zero_point;
};

// Where in golden.bin an array is, and how far an output's values may be from it.
struct Golden {
  std::string name;
  Type type;
  Shape shape;
  std::size_t offset;
  double tolerance;
};

struct File {
  std::string file;
  std::vector<End> inputs, outputs;
  std::vector<Golden> golden;  // the outputs for the golden samples
};

// How an image becomes an input: whole, resized as Pillow does it, (pixel - mean) / std of each channel.
struct ImageInput {
  std::string input;
  int height, width;
  std::string color_order;  // L, RGB, BGR, RGBA
  std::vector<float> mean, std;
};

// What an output means: `kind` is what makes probabilities of it, `top_k` how many classes to show.
struct Meaning {
  std::string output, kind;
  int top_k;
};
