#pragma once
struct Port {
  void begin(int baud);
  explicit operator bool() const;
  void println(const char* text);
};
extern Port Serial;
