"""The starter language model's training: it learns, exports, and llama.cpp reads what it wrote."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is in the `train` extra only")
pytest.importorskip("gguf", reason="gguf is in the `train` extra only")
pytest.importorskip("tokenizers", reason="tokenizers is in the `train` extra only")

from llama_cpp import Llama  # noqa: E402

from models.cpu_variant import load_variant  # noqa: E402
from models.training.domain import chat, dialogues  # noqa: E402
from models.training.llama import Training, teacher_forced  # noqa: E402
from models.training.llama_data import (  # noqa: E402
    analysis_chat,
    analysis_example,
    batches,
    chat_example,
    extraction_chat,
    result_example,
)
from models.training.llama_gguf import read_gguf, write_gguf  # noqa: E402
from models.training.llama_net import LlamaSize  # noqa: E402
from models.training.llama_tokens import StarterTokenizer, render  # noqa: E402
from voice_loop.prompts import END_CALL  # noqa: E402

SIZE = {"width": 64, "blocks": 3, "heads": 4, "feed_forward": 128}


@pytest.fixture(scope="module")
def tokenizer() -> StarterTokenizer:
    return StarterTokenizer()


@pytest.fixture(scope="module")
def trained(tokenizer: StarterTokenizer) -> Training:
    torch.set_num_threads(1)
    training = Training(tokenizer, LlamaSize(vocab=len(tokenizer.tokens), **SIZE))
    source = batches(tokenizer, seed=1, tokens=384)
    losses = [training.learn(next(source), rate=4e-3, copy_weight=0.5) for _ in range(25)]
    assert losses[-1][0] < 0.8 * losses[0][0]
    return training


def test_no_token_is_there_twice(tokenizer: StarterTokenizer) -> None:
    assert len(set(tokenizer.tokens)) == len(tokenizer.tokens)


def test_text_survives_the_tokenizer(tokenizer: StarterTokenizer) -> None:
    for dialogue in dialogues(5, 30, "heldout"):
        for messages in (chat(dialogue), extraction_chat(dialogue), analysis_chat(dialogue)):
            text = render(messages)
            assert tokenizer.decode(tokenizer.encode(text)) == text


def test_only_answers_are_learned(tokenizer: StarterTokenizer) -> None:
    for dialogue in dialogues(6, 60):
        example = chat_example(tokenizer, dialogue)
        learned = [i for i, learn in zip(example.ids, example.learn, strict=True) if learn]
        whole = [
            f"{t.text} {END_CALL}" if t.ends_call else t.text
            for t in dialogue.turns
            if t.speaker == "agent" and t.in_history and not t.cut
        ]
        assert tokenizer.decode(learned) == "".join(f"{text.lower()}<|im_end|>" for text in whole)


def test_copies_point_at_the_same_word(tokenizer: StarterTokenizer) -> None:
    copies = 0
    for dialogue in dialogues(8, 60):
        for make in (chat_example, result_example, analysis_example):
            example = make(tokenizer, dialogue)
            for at, source in example.copies:
                assert source <= at
                wanted, there = example.ids[at + 1], example.ids[source]
                if not tokenizer.tokens[wanted].isdigit():
                    assert tokenizer.canonical[wanted] == tokenizer.canonical[there]
                copies += 1
    assert copies > 500


def test_llama_cpp_reads_the_export_alike(
    tokenizer: StarterTokenizer, trained: Training, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(trained.net, tokenizer, path)
    load_variant()
    llama = Llama(str(path), n_ctx=1024, n_batch=1024, n_threads=1, logits_all=True, verbose=False)
    for dialogue in dialogues(9, 4, "heldout"):
        text = render(chat(dialogue))
        ids = tokenizer.encode(text)
        assert llama.tokenize(text.encode(), add_bos=False, special=True) == ids
        llama.n_tokens = 0
        llama.eval(ids)
        theirs = torch.tensor(llama.scores[: len(ids)])
        with torch.no_grad():
            rows = torch.tensor([(0, at) for at in range(len(ids))])
            ours = trained.net(torch.tensor([ids]), rows)[0]
        # Q8_0 weights and activations round; another rotary embedding would not correlate.
        assert torch.corrcoef(torch.stack((theirs.flatten(), ours.flatten())))[0, 1] > 0.995
        assert (theirs.argmax(-1) == ours.argmax(-1)).float().mean() > 0.9
    llama.close()


def test_training_begins_with_the_weights_of_a_file(
    tokenizer: StarterTokenizer, trained: Training, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(trained.net, tokenizer, path)
    other = Training(tokenizer, LlamaSize(vocab=len(tokenizer.tokens), **SIZE), seed=2)
    read_gguf(other.net, tokenizer, path)
    ids = tokenizer.encode(render(chat(next(dialogues(9, 1)))))
    rows = torch.tensor([(0, at) for at in range(len(ids))])
    with torch.no_grad():
        theirs, ours = (t.net(torch.tensor([ids]), rows)[0] for t in (trained, other))
    # Q8_0 rounds; a row or a head in another place would not correlate.
    assert torch.corrcoef(torch.stack((theirs.flatten(), ours.flatten())))[0, 1] > 0.999


def test_training_goes_on_from_a_checkpoint(
    tokenizer: StarterTokenizer, trained: Training, tmp_path: Path
) -> None:
    path = tmp_path / "state.pt"
    trained.save(path)
    other = Training(tokenizer, LlamaSize(vocab=len(tokenizer.tokens), **SIZE), seed=2)
    assert other.load(path)
    assert other.step == trained.step
    examples = [result_example(tokenizer, dialogue) for dialogue in dialogues(10, 20)]
    pad = tokenizer.end_id
    assert teacher_forced(other.net, examples, pad) == teacher_forced(trained.net, examples, pad)
    assert not Training(tokenizer, LlamaSize(len(tokenizer.tokens))).load(path)
