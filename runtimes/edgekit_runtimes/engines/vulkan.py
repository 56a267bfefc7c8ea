"""The graphics adapters that Vulkan finds, without opening a model.

The few calls and offsets are those of ``vulkan_core.h``.
"""

import ctypes
import functools

_INSTANCE_INFO = 1  # VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO
_NAME_AT, _NAME_SIZE = 20, 256  # in VkPhysicalDeviceProperties


class _InstanceInfo(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("application", ctypes.c_void_p),
        ("layer_count", ctypes.c_uint32),
        ("layers", ctypes.c_void_p),
        ("extension_count", ctypes.c_uint32),
        ("extensions", ctypes.c_void_p),
    )


@functools.cache
def adapters() -> tuple[str, ...]:
    """The names of the adapters, none where Vulkan is not installed."""
    try:
        vulkan = ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return ()
    instance, count = ctypes.c_void_p(), ctypes.c_uint32()
    info = _InstanceInfo(type=_INSTANCE_INFO)
    if vulkan.vkCreateInstance(ctypes.byref(info), None, ctypes.byref(instance)):
        return ()
    try:
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
        devices = (ctypes.c_void_p * count.value)()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), devices)
        names = []
        for device in devices:
            properties = ctypes.create_string_buffer(4096)  # the structure has some 830 bytes
            vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(device), properties)
            name = properties.raw[_NAME_AT : _NAME_AT + _NAME_SIZE]
            names.append(name.split(b"\0", 1)[0].decode())
        return tuple(names)
    finally:
        vulkan.vkDestroyInstance(instance, None)
