"""Metrics as a test reads them."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Numbers = Mapping[str, float]


def numbers(text: str) -> Numbers:
    """Every sample, by its name with its labels as Prometheus writes them."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(one.labels.items()))
            found[one.name + (f"{{{labels}}}" if labels else "")] = one.value
    return found
