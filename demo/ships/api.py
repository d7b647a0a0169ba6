"""Ships over the REST interface."""

from rest_framework import serializers, viewsets

from .models import Ship


class ShipSerializer(serializers.ModelSerializer):
    """All fields of a ship."""

    class Meta:
        """Which model, which fields."""

        model = Ship
        fields = ("id", "name", "rig", "berth", "cargo", "built", "arrived")


class ShipViewSet(viewsets.ModelViewSet):
    """The ships in port."""

    queryset = Ship.objects.all()
    serializer_class = ShipSerializer
