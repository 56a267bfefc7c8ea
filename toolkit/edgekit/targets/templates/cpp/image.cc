#include "image.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>

namespace {

constexpr int kBits = 22;  // of a weight, after the point: Pillow's

// Pillow's BILINEAR along one axis, in its own integers: a triangle that widens as an image shrinks.
std::vector<std::uint8_t> along(const std::vector<std::uint8_t>& pixels, int before, int after, int lines, int step) {
  if (before == after) return pixels;
  std::vector<std::uint8_t> resized(static_cast<std::size_t>(lines) * after * step);
  const double scale = static_cast<double>(before) / after;
  const double reach = std::max(scale, 1.0);
  for (int place = 0; place < after; place++) {
    const double center = (place + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - reach + 0.5));
    const int end = std::min(before, static_cast<int>(center + reach + 0.5));
    std::vector<double> parts;
    double sum = 0;
    for (int at = first; at < end; at++) {
      parts.push_back(std::max(0.0, 1.0 - std::abs((at - center + 0.5) / reach)));
      sum += parts.back();
    }
    std::vector<int> weights;
    for (double part : parts) weights.push_back(static_cast<int>(part / sum * (1 << kBits) + 0.5));
    for (int line = 0; line < lines; line++) {
      for (int inner = 0; inner < step; inner++) {
        int total = 1 << (kBits - 1);
        for (std::size_t i = 0; i < weights.size(); i++) {
          total += pixels[(static_cast<std::size_t>(line) * before + first + i) * step + inner] * weights[i];
        }
        resized[(static_cast<std::size_t>(line) * after + place) * step + inner] =
            static_cast<std::uint8_t>(std::min(255, total >> kBits));
      }
    }
  }
  return resized;
}

int number(std::istream& file) {
  while (std::isspace(file.peek()) || file.peek() == '#') {
    if (file.get() == '#') file.ignore(1 << 20, '\n');
  }
  int value = -1;
  file >> value;
  return value;
}

}  // namespace

Image read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char p = 0, kind = 0;
  file >> p >> kind;
  const int channels = kind == '6' ? 3 : 1;
  if (!file || p != 'P' || (kind != '6' && kind != '5')) throw std::runtime_error(path + ": no PPM or PGM image (P6 or P5)");
  Image image{number(file), number(file), {}};
  if (number(file) != 255 || image.width < 1 || image.height < 1 || image.width > 1 << 15 || image.height > 1 << 15) {
    throw std::runtime_error(path + ": a PPM image of 8 bits a channel is wanted");
  }
  file.get();
  const std::size_t size = static_cast<std::size_t>(image.width) * image.height;
  std::vector<std::uint8_t> read(size * channels);
  if (!file.read(reinterpret_cast<char*>(read.data()), static_cast<std::streamsize>(read.size()))) {
    throw std::runtime_error(path + ": cut short");
  }
  image.rgb.resize(size * 3);
  for (std::size_t i = 0; i < image.rgb.size(); i++) image.rgb[i] = read[channels == 3 ? i : i / 3];
  return image;
}

Tensor preprocess(const Image& image, const ImageInput& wanted) {
  const int channels = static_cast<int>(wanted.mean.size());
  const std::size_t size = static_cast<std::size_t>(image.width) * image.height;
  std::vector<std::uint8_t> colored(size * channels, 255);
  for (std::size_t i = 0; i < size; i++) {
    const std::uint8_t* rgb = &image.rgb[3 * i];
    if (channels == 1) {  // gray as Pillow weighs it
      colored[i] = static_cast<std::uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 32768) >> 16);
      continue;
    }
    for (int c = 0; c < 3; c++) colored[i * channels + c] = rgb[wanted.color_order == "BGR" ? 2 - c : c];
  }
  const auto narrow = along(colored, image.width, wanted.width, image.height, channels);
  const auto pixels = along(narrow, image.height, wanted.height, 1, wanted.width * channels);
  Tensor made(Type::float32, {1, wanted.height, wanted.width, channels});
  for (std::size_t i = 0; i < pixels.size(); i++) {
    const std::size_t channel = i % channels;
    made.data<float>()[i] = (static_cast<float>(pixels[i]) - wanted.mean[channel]) / wanted.std[channel];
  }
  return made;
}
