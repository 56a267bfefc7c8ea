"""The optimizer in a SavedModel of Keras 2: only training needs it, and only Keras 2 can load it."""

from typing import Any

_IDENTIFIER = "optimizer"
"""What ``saved_model.pb`` calls the optimizers of Keras up to 2.10, and its ``legacy`` ones of later."""


def accept_stored_optimizers() -> None:
    """Let ``tf.saved_model.load`` load SavedModels that Keras 2 wrote with their optimizer.

    TensorFlow asks the loaded optimizer for its slot variables, such as Adam's moments, and leaves
    the class that makes them to Keras 2. Where that is not imported, the optimizer becomes an
    object whose slot variables are zeros: no signature reads them.
    """
    import tensorflow as tf

    loading = tf.__internal__.saved_model.load
    if _IDENTIFIER in loading.registered_identifiers():
        return

    class StoredOptimizer(tf.__internal__.tracking.AutoTrackable):  # type: ignore[misc]
        def add_slot(self, var: Any, slot_name: str) -> Any:
            return tf.Variable(tf.zeros(var.shape, var.dtype), trainable=False, name=slot_name)

    loading.register_revived_type(
        _IDENTIFIER,
        lambda _: False,  # where it is saved again, then as an object of no type
        versions=[
            loading.VersionedTypeRegistration(
                object_factory=lambda _: StoredOptimizer(),
                version=2,  # Keras 2 wrote 1 and 2
                min_producer_version=1,
                min_consumer_version=1,
            )
        ],
    )
