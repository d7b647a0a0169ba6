"""What lies in port."""

from django.db import models


class Ship(models.Model):
    """A ship with a berth."""

    class Rig(models.TextChoices):
        """What moves it; the value is the name of its sign in the icon font."""

        SAIL = "sail", "Sailing ship"
        ENGINE = "ship", "Motor ship"

    name = models.CharField(max_length=60, unique=True)
    rig = models.CharField(max_length=10, choices=Rig)
    berth = models.CharField(max_length=10)
    cargo = models.CharField(max_length=60, blank=True)
    built = models.PositiveSmallIntegerField()
    arrived = models.DateTimeField()

    class Meta:
        """The list is by name."""

        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
