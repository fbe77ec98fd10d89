namespace SaeUnbox.Lab;

/// <summary>
/// Knows what pictures of a model should show, and sees what they do show: what detection and steering are measured against. Equal
/// numbers give equal pictures. Safe for several threads at once.
/// </summary>
public interface IPictureJudge
{
    JudgeDescription Description { get; }

    /// <summary>What it recognises.</summary>
    IReadOnlyList<string> Elements { get; }

    /// <summary>A picture in which the place of each element is known.</summary>
    KnownPicture Picture(int number);

    /// <summary>A picture to put an element into, or to take it out of; null if this number has none.</summary>
    SteeringTrial? Trial(string element, SteeringTask task, int number);
}

/// <summary>Tells readers of a report what the judgement rests on.</summary>
/// <param name="Name">In a few words.</param>
/// <param name="Success">When the element counts as being in the cells.</param>
/// <param name="Retention">Which answers are compared.</param>
/// <param name="Artefacts">When a part of a picture shows nothing clear.</param>
public sealed record JudgeDescription(string Name, string Success, string Retention, string Artefacts);

/// <summary>What is done with an element.</summary>
public enum SteeringTask
{
    /// <summary>It is put into a picture without it.</summary>
    Paint,

    /// <summary>It is taken out of a picture with it.</summary>
    Remove,
}

/// <summary>A picture, and where each element is in it.</summary>
/// <param name="Regions">For each of <see cref="IPictureJudge.Elements"/> the cells that show it, on any grid.</param>
public sealed record KnownPicture(Caption Caption, IReadOnlyList<BrushMask> Regions);

/// <summary>A picture to steer.</summary>
/// <param name="Cells">Where to steer.</param>
/// <param name="OtherPrompt">The caption with the element, or without it: what the prompt alone can do. Null if there is none.</param>
/// <param name="Probe">Sees what the picture shows then.</param>
public sealed record SteeringTrial(Caption Caption, BrushMask Cells, string? OtherPrompt, IPictureProbe Probe);

/// <summary>Sees what variants of one picture show. Used by one thread at a time.</summary>
public interface IPictureProbe
{
    PictureReading Read(Picture picture);
}

/// <summary>What a picture shows.</summary>
/// <param name="HasElement">Whether the element is in the cells.</param>
/// <param name="Others">What else is there: answers to the same questions for all variants of the picture.</param>
/// <param name="IsUnclear">Whether some part shows nothing that the probe knows: an artefact.</param>
public sealed record PictureReading(bool HasElement, IReadOnlyList<string> Others, bool IsUnclear);
