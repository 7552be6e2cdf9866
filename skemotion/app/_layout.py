"""What the page consists of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from ._html import BUSY, FOOT, LEARNING, LOST, WAITING, head_html, note_html, problem_html

# What the system may know no kind of, besides what it knows for sound.
_SOUNDS = ("audio", ".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".aiff", ".wma")

#: Seconds of a recording that a speaker is enrolled by, at most.
ENROL_SECONDS = 120.0

_EVENTS = {"api_visibility": "private", "trigger_mode": "multiple", "show_progress": "hidden"}


def make_blocks(
    gradio: Any,
    answer: Callable[[str | None, Any], str],
    enrol: Callable[[str | None, Any], tuple[Any, str]] | None,
    *,
    classes: Sequence[str],
    max_seconds: float,
    takes_sound: bool,
    is_upload: Callable[[str], bool],
) -> Any:
    """Lay out the page.

    Parameters
    ----------
    gradio : module
        Gradio.
    answer : callable
        Gives the HTML of an answer, for the path of a recording and what is known of the speaker.
    enrol : callable or None
        Gives what is known of the speaker and a sentence in HTML, for the path of a recording and
        what was known before. None for a model without scalers by speaker.
    classes : sequence of str
        The emotions.
    max_seconds : float
        Length of a recording.
    takes_sound : bool
        Whether a file of sound alone can have an answer.
    is_upload : callable
        Says whether a path is that of an upload.

    Returns
    -------
    blocks : gradio.Blocks
    """

    def respond(path: str | None, speaker: Any) -> tuple[str, None]:
        # The recorder is emptied: its file is gone.
        return answer(path, speaker), None

    # Gradio deletes what it knows of and nobody asked about, such as of a page that was closed.
    with gradio.Blocks(
        title="Which emotion is it?", analytics_enabled=False, delete_cache=(60, 600)
    ) as blocks:
        known = gradio.State(None, time_to_live=3600)
        gradio.HTML(head_html(classes, max_seconds), elem_id="sk-head")
        with gradio.Row(equal_height=False, elem_id="sk-main"):
            with gradio.Column(min_width=320):
                video = _recorder(gradio, "Recording", "sk-recording", is_upload)
                sound = _sound_button(gradio, is_upload) if takes_sound else None
                # Filled by the page's script.
                words = '<p class="sk-help" id="sk-help" role="status"></p>'
                gradio.HTML(words, elem_id="sk-words")
            with gradio.Column(min_width=320):
                place = gradio.HTML(WAITING, elem_id="sk-answer")
        _on_recording(gradio, video, place, BUSY, respond, [video, known], [place, video])
        if sound is not None:
            _on_recording(gradio, sound, place, BUSY, respond, [sound, known], [place, sound])
        if enrol is not None:
            _add_enrolment(gradio, known, enrol, is_upload)
        gradio.HTML(FOOT, elem_id="sk-foot")
    return blocks


def _add_enrolment(
    gradio: Any,
    known: Any,
    enrol: Callable[[str | None, Any], tuple[Any, str]],
    is_upload: Callable[[str], bool],
) -> None:
    def learn(path: str | None, before: Any) -> tuple[Any, ...]:
        speaker, words = enrol(path, before)
        return speaker, words, gradio.update(visible=speaker is not None), None

    def forget() -> tuple[Any, ...]:
        return None, note_html("You have been forgotten."), gradio.update(visible=False)

    with gradio.Accordion("Let it know you first (optional)", open=False, elem_id="sk-enrol"):
        gradio.HTML(
            '<p class="sk-help">Faces and voices differ more than emotions do. Record yourself '
            "for a minute, talking as usual: answers are then relative to your own face and "
            "voice, for an hour, on this page only. The recording is deleted; some averages are "
            "kept in memory.</p>"
        )
        video = _recorder(gradio, "A minute of you", "sk-enrol-recording", is_upload)
        place = gradio.HTML(note_html("Nobody is known yet."), elem_id="sk-known")
        button = gradio.Button("Forget me", size="sm", visible=False, elem_id="sk-forget")
        given = [known, place, button, video]
        _on_recording(gradio, video, place, LEARNING, learn, [video, known], given)
        button.click(forget, outputs=[known, place, button], **_EVENTS)


def _on_recording(
    gradio: Any,
    component: Any,
    place: Any,
    busy: str,
    function: Callable[..., Any],
    inputs: list[Any],
    outputs: list[Any],
) -> None:
    """Have a recording answered, and say from its end on that it will be."""
    triggers = [component.upload]
    if hasattr(component, "stop_recording"):
        triggers.append(component.stop_recording)
    # Said by the browser, so that those who wait in line read it, too.
    gradio.on(triggers, None, outputs=place, js=f"() => {json.dumps(busy)}", **_EVENTS)
    event = gradio.on(triggers, function, inputs=inputs, outputs=outputs, **_EVENTS)
    lost = f"() => [{json.dumps(problem_html(LOST))}, null]"
    event.failure(None, outputs=[place, component], js=lost, **_EVENTS)


def _recorder(gradio: Any, label: str, name: str, is_upload: Callable[[str], bool]) -> Any:
    options = gradio.WebcamOptions(
        mirror=False,
        constraints={
            "video": {"width": {"ideal": 640}, "height": {"ideal": 480}},
            # What clears up a voice for a call takes emotion out of it.
            "audio": {"echoCancellation": False, "noiseSuppression": False},
        },
    )
    video = gradio.Video(
        label=label,
        sources=["webcam", "upload"],
        include_audio=True,
        webcam_options=options,
        buttons=[],
        elem_id=name,
    )

    return _careful(gradio, video, is_upload)


def _sound_button(gradio: Any, is_upload: Callable[[str], bool]) -> Any:
    """Take what the recorder does not: files of sound."""
    button = gradio.UploadButton(
        "Upload a sound file", file_types=list(_SOUNDS), size="sm", elem_id="sk-sound"
    )
    return _careful(gradio, button, is_upload)


def _careful(gradio: Any, component: Any, is_upload: Callable[[str], bool]) -> Any:
    """Let a component take what was uploaded, and nothing else."""

    async def uploaded(path: str) -> str:
        if not is_upload(path):
            raise gradio.Error("This recording is not there any more. Make or upload it again.")
        return path

    # Gradio would download whatever address a request names, and keep a list of all files.
    component.async_move_resource_to_block_cache = uploaded
    return component
