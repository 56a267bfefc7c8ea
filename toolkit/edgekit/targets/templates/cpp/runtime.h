// What a runtime does: runs one batch, in the file's own types, in the order of the file's ends.
#pragma once

#include <memory>

#include "tensor.h"

class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs) = 0;
};

// Each program is linked with one of these: runtime_onnx.cc or runtime_litert.cc.
std::unique_ptr<Runtime> open_runtime(const std::string& path, const File& file, int threads);
extern const char* const kSuffix;
