"""How heads on the features of the bundled pose network are taught (``nets/small.py``).

The features stay as they are, so a head learns in minutes on one processor core. Pages that use
this say in their name that they are small: ``g_rmi_s``, ``mspn_s``, ``cpn_s``, ``rmpe_s``.
"""

from vitruvian.image.augment import Augment
from vitruvian.systems.spec import Recipe


def heads_recipe(loss: str) -> Recipe:
    """Two passes over 3200 views with the loss of ``Recipe.loss``."""
    return Recipe(
        epochs=2,
        samples_per_epoch=3200,
        batch=16,
        optimizer="adamw",
        lr=2e-3,
        weight_decay=0.01,
        schedule="cosine",
        warmup=50,
        clip_norm=5.0,
        ema=0.99,
        loss=loss,
        freeze=("trunk",),
        augment=Augment(scale=0.25, rotation=30.0, rotation_prob=0.6, shift=0.03),
    )
