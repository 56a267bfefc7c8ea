// What exports call of TensorFlow Lite Micro, declared by hand: to check that the code is C++, not that it runs.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define TFLITE_SCHEMA_VERSION (3)
#define TF_LITE_ENSURE_STATUS(a)      \
  do {                                \
    const TfLiteStatus s = (a);       \
    if (s != kTfLiteOk) return s;     \
  } while (0)

enum TfLiteStatus { kTfLiteOk, kTfLiteError };
enum TfLiteType { kTfLiteInt32, kTfLiteUInt8, kTfLiteInt64, kTfLiteBool, kTfLiteInt16, kTfLiteInt8 };
struct TfLiteTensor {
  TfLiteType type;
  union {
    int8_t* int8;
    void* data;
  } data;
  size_t bytes;
};

namespace tflite {

struct Model {
  uint32_t version() const;
};

class MicroOpResolver {
 public:
  virtual ~MicroOpResolver() = default;
};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t* arena, size_t arena_size);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(size_t index);
  TfLiteTensor* output(size_t index);
  size_t arena_used_bytes() const;
};

}  // namespace tflite
