"""The workflow in the wheel: what lies beside the folder ``pipeline`` is ``pipeline/workflow`` once installed."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

WORKFLOW = "pipeline.workflow"
POINTED_TO = ["README.md", "docs/*.md", "docs/*/*.md", "examples/*.yaml", "examples/manifests/*.yaml"]
"""Pages and examples that messages point to; the site is built from them, and is not in the wheel."""


class BuildWithWorkflow(build_py):
    """The files of the package, where the folder of the repository, which is that of the workflow, has no modules."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Modules of a package; this file is none of the workflow."""
        return [] if package == WORKFLOW else super().find_package_modules(package, package_dir)


setup(
    cmdclass={"build_py": BuildWithWorkflow},
    packages=[*find_packages(include=["pipeline*"]), WORKFLOW],
    package_dir={WORKFLOW: "."},
    package_data={
        "pipeline": ["py.typed", "report/page/charts/*", "report/page/templates/*", "report/page/viewer/*"],
        WORKFLOW: ["Snakefile", "datasets_manifest.yaml", "stages/*", "profiles/*/*", *POINTED_TO],
    },
)
