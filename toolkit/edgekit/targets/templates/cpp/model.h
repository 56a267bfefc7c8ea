// The model: real numbers in and out, whatever the file has, in batches of any size.
#pragma once

#include "runtime.h"

class Model {
 public:
  Model(const std::string& folder, const File& file, int threads = 1);
  // Samples along the first axis, in the order of the file's inputs; outputs in that of the file's outputs.
  std::vector<Tensor> run(const std::vector<Tensor>& samples);
  const File& file() const { return file_; }

 private:
  const File& file_;
  std::unique_ptr<Runtime> runtime_;
};
