"""The table of ships, and a few of them."""

from datetime import UTC, datetime, timedelta

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SHIPS = """
Albatross|sail|N 1|Sea charts|1908
Blue Heron|ship|E 4|Timber|1987
Cormorant|ship|E 5|Spare parts|2003
Dunlin|sail|N 3|School class|1931
Eider|ship|S 2|Grain|1999
Fulmar|sail|N 4|Salt|1926
Gannet|ship|W 1|Wind turbine blades|2019
Kittiwake|sail|N 2|Post|1912
Petrel|ship|S 1|Coffee|1974
Sandpiper|ship|W 3|Bicycles|2011
Tern|sail|S 4||1950
Whimbrel|ship|E 1|Containers|2022
"""


def add(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Let the ships come in, one an hour."""
    first = datetime(2026, 5, 1, 6, tzinfo=UTC)
    ship = apps.get_model("ships", "Ship")
    for hour, line in enumerate(SHIPS.split("\n")[1:-1]):
        name, rig, berth, cargo, built = line.split("|")
        arrived = first + timedelta(hours=hour)
        ship.objects.create(name=name, rig=rig, berth=berth, cargo=cargo, built=int(built), arrived=arrived)


class Migration(migrations.Migration):
    """All there is."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            "Ship",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, unique=True)),
                (
                    "rig",
                    models.CharField(choices=[("sail", "Sailing ship"), ("ship", "Motor ship")], max_length=10),
                ),
                ("berth", models.CharField(max_length=10)),
                ("cargo", models.CharField(blank=True, max_length=60)),
                ("built", models.PositiveSmallIntegerField()),
                ("arrived", models.DateTimeField()),
            ],
            {"ordering": ("name",)},
        ),
        migrations.RunPython(add, migrations.RunPython.noop),
    )
