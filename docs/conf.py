"""How Sphinx builds the documentation: ``nox -s docs``."""

from importlib.metadata import version as installed
from pathlib import Path

from docutils import nodes
from sphinx.util.nodes import make_refnode

project = "skemotion"
author = "The skemotion developers"
project_copyright = "the skemotion developers"
release = version = installed("skemotion")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"
nitpicky = True
# Names of other projects cannot be linked without a network; text in single backticks may be one.
nitpick_ignore_regex = [
    ("py:obj", r"(?!skemotion\.).*"),
    ("py:.*", r"(sklearn|numpy|pandas|matplotlib|joblib|collections|pathlib|fractions)\..*"),
    ("py:(class|exc)", r"[A-Z]\w*(Error|Warning)"),
]

# Types are in the docstrings, in words.
autodoc_typehints = "none"
autosummary_generate = True
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "attrs_block"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("skemotion",),
    "backreferences_dir": "api/generated/backreferences",
    "inspect_global_variables": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "abort_on_example_error": False,
    "plot_gallery": True,
    # That page loads scripts from elsewhere.
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skemotion"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "getting_started": [], "changelog": [], "contributing": []}


def public_name(env, text):
    """Find the page of a public name, from wherever it is mentioned without its package."""
    name = text.removesuffix("()").removeprefix("skemotion.")
    if text in ("fetch", "identity", "main"):  # words that are commands or parameters, too
        return None
    for full, entry in env.get_domain("py").objects.items():
        if full.endswith(f".{name}") and full.count(".") == name.count(".") + 2:
            return entry
    return None


def resolve_reference(app, env, node, contnode):
    entry = public_name(env, node["reftarget"]) if node["refdomain"] == "py" else None
    if entry is None:
        return None
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode)


def link_inline_code(app, doctree, docname):
    """Link inline code that is just a public name, as in `HOG3D`, to its page."""
    for node in list(doctree.findall(nodes.literal)):
        linked = isinstance(node.parent, (nodes.reference, nodes.title, nodes.target))
        entry = None if linked else public_name(app.env, node.astext())
        if entry is not None and entry.docname != docname:
            link = make_refnode(app.builder, docname, entry.docname, entry.node_id, node.deepcopy())
            node.replace_self(link)


def skip_inherited(app, what, name, obj, skip, options):
    """Leave out what scikit-learn documents, and fields of tuples, which their class describes."""
    field = str(getattr(obj, "__doc__", "")).startswith("Alias for field")
    return skip or field or str(getattr(obj, "__module__", "")).startswith("sklearn")


# What screen readers miss in the theme's and docutils' pages.
ACCESSIBLE = {
    '<summary><span class="toctree': '<summary aria-label="more"><span class="toctree',
    '<div role="list" class="citation-list">': '<div class="citation-list">',
}


def make_accessible(app, exception):
    for page in Path(app.outdir).rglob("*.html"):
        text = before = page.read_text(encoding="utf-8")
        for old, new in ACCESSIBLE.items():
            text = text.replace(old, new)
        if text != before:
            page.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("build-finished", make_accessible)
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("missing-reference", resolve_reference)
    app.connect("doctree-resolved", link_inline_code)
