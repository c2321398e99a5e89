"""A YAML file as plain data; unlike PyYAML alone it refuses a key that stands twice, of which the first would be lost."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from glocal.errors import ComparisonError
from glocal.files import file_bytes


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, strict about keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping; ConstructorError where a key stands twice."""
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != "tag:yaml.org,2002:merge":
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key_node.value!r} stands twice", key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. ComparisonError names the file, and the line where it cannot be read."""
    try:
        found = yaml.load(file_bytes(path).decode(), Loader=_Loader)
    except OSError as error:
        raise ComparisonError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ComparisonError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise ComparisonError(f"{path} is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise ComparisonError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise ComparisonError(f"{path} is no study: it must hold fields such as `arms:`")
    return found
