// An image to the numbers of an input, as the model was validated: colors, size, numbers.
#pragma once

#include "tensor.h"

struct Image {
  int width, height;
  std::vector<std::uint8_t> rgb;  // rows from the top, three channels side by side; upright
};

Image read_ppm(const std::string& path);  // P6 or P5 of 8 bits: what a camera's library or ImageMagick writes
Tensor preprocess(const Image& image, const ImageInput& wanted);
