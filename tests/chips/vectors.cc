/* Where a Cortex-M begins: its stack, and newlib's start, which asks qemu by semihosting for arguments and files. */
extern "C" {
void _start(void);
extern char __stack[];
}

static void hang() {
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) void (*const vectors[16])() = {
    reinterpret_cast<void (*)()>(__stack), _start, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang,
};
